"""What the numbers of a report say, in plain sentences; a null result is told as such."""

from collections.abc import Mapping, Sequence

import pandas as pd

ALPHA = 0.05
NAMES = {
    "identification_rank": "Identification rank",
    "identification_rank_matched": "Identification rank among texts of like length",
    "text_rank": "Rank by the decoded text alone",
}
PROTOCOLS = {
    "within": "within the subject",
    "zero_shot": "zero-shot, trained on other subjects",
    "adapted": "adapted to the subject",
    "joint": "trained on all subjects",
    "wrong_subject": "with another subject's mapping",
}


def protocol_words(protocol: str) -> str:
    """Who trained, in words."""
    if protocol.startswith("adapted_"):
        return f"{PROTOCOLS['adapted']} by {protocol.removeprefix('adapted_')} min"
    return PROTOCOLS.get(protocol, protocol)


def show(cell: object, column: str = "") -> str:
    """A cell for people: three significant digits, whole numbers whole, labels as they are, p with its floor."""
    if cell is None or (not isinstance(cell, str) and pd.isna(cell)):
        return "n/a"
    if isinstance(cell, str | bool):
        return str(cell)
    number = float(cell)
    if column == "p" or column.startswith("p_"):
        return show_p(number)
    if number == int(number) and abs(number) < 1e9:
        return f"{int(number):,}"
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


def show_p(p: float) -> str:
    """A p value to two significant digits, never as 0."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def p_equals(p: float) -> str:
    """``p = 0.02``, held together on one line."""
    return f"p\u00a0{'' if p < 0.0001 else '='}\u00a0{show_p(p)}".replace("\u00a0\u00a0", "\u00a0")


def show_share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f}\u00a0%"


def headline(gain: Mapping | None) -> str:
    """The gain over the best no-brain control on its base metric, with interval and p; no difference told plainly.

    ``gain`` is the row of the metric gain, or None where nothing was decoded. A protocol other than within is named.
    """
    if gain is None:
        return "Nothing was decoded for this subject, so there is no gain to report."
    what = str(gain["of"]).replace("_", " ") + _protocol_note(gain)
    control = f"the best control without the brain ({str(gain['best_control']).replace('_', ' ')})"
    unit = "trials" if gain["of"] == "accuracy" else "windows"
    if pd.isna([gain["ci_low"], gain["ci_high"], gain["p_gain"]]).any():
        return f"Not tested: the gain in {what} over {control} is {gain['value']:+.3f}, without interval or p."
    numbers = (
        f"gain {gain['value']:+.3f} (95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}, "
        f"{p_equals(gain['p_gain'])}, {show(gain['n'])} {unit} in {show(gain['n_effective'])} independent blocks)"
    )
    if gain["ci_low"] > 0 and gain["p_gain"] < ALPHA:
        return f"The decoded text beats {control} in {what}: {numbers}."
    if gain["ci_high"] < 0:
        return f"No gain: the decoded text is worse in {what} than {control}: {numbers}."
    told = f"No difference in {what} between the decoded text and {control}: {numbers}."
    smallest = 0.5 ** float(gain["n_effective"])  # one sign a block
    return told + (f" So few blocks allow no p below {show_p(smallest)}." if smallest > ALPHA else "")


def other_seeds_sentence(gains: pd.DataFrame) -> str:
    """What the headline's seed is among the others (rows of the metric gain by seed, the headline's first)."""
    if len(gains) < 2:
        return ""
    low, high = gains["value"].min(), gains["value"].max()
    first = gains["seed"].iloc[0]
    return f" This is seed {first}, one of {len(gains)}; over them the gain runs from {low:+.3f} to {high:+.3f}."


def rank_sentence(row: Mapping, rate_only: Mapping | None) -> str:
    """One rank with its chance, null, p and number of blocks, and what the number of words alone reaches."""
    text = (
        f"{NAMES[row['metric']]} {row['value']:.2f} (95 % interval {row['ci_low']:.2f} to {row['ci_high']:.2f}): the "
        f"true text ranks above {show_share(row['value'])} of the other candidates; chance is 0.50, the shifted brain "
        f"reaches {row['null']:.2f}, {p_clause(row)}; {show(row['n'])} windows in {show(row['n_effective'])} "
        "independent blocks"
    )
    text += f", {show(row['left_out'])} left out for want of candidates." if _some(row, "left_out") else "."
    if rate_only is not None:
        text += f" The predicted number of words alone (rate_only) reaches {rate_only['value']:.2f}."
    return text


def accuracy_sentence(row: Mapping) -> str:
    """Accuracy of the decoded labels with chance and p."""
    return (
        f"The decoded text names the true label in {show_share(row['value'])} of {show(row['n'])} trials (95 % "
        f"interval {show_share(row['ci_low'])} to {show_share(row['ci_high'])}); chance is {show_share(row['null'])}, "
        f"{p_clause(row)}."
    )


def p_clause(row: Mapping) -> str:
    """p with the number of draws; where the data allow no p below alpha, that is said."""
    clause = p_equals(row["p"])
    if _some(row, "n_null"):
        clause += f" over {show(row['n_null'])} draws"
        smallest = 1 / (1 + float(row["n_null"]))
        if smallest > ALPHA:
            clause += f" (the smallest p that so few draws allow is {show_p(smallest)}, so nothing could reach {ALPHA})"
    return clause


def zero_shot_sentence(rows: pd.DataFrame) -> str:
    """How many subjects that the decoder never saw are above their null (rows: their matched ranks)."""
    if rows.empty:
        return "No subject was decoded zero-shot in this study."
    below = int((rows["p"] < ALPHA).sum())
    return (
        f"Zero-shot (no data of the subject's own in training): {below} of {len(rows)} "
        f"subject{'s' if len(rows) > 1 else ''} above the null at p < {ALPHA}; "
        f"mean matched rank {rows['value'].mean():.2f}, chance 0.50."
    )


def group_headline(gains: pd.DataFrame) -> str:
    """In how many subjects decoded text beats the best control, from their rows of the metric gain."""
    if gains.empty:
        return "Nothing was decoded in this study."
    better = int(((gains["ci_low"] > 0) & (gains["p_gain"] < ALPHA)).sum())
    worse = int((gains["ci_high"] < 0).sum())
    same = len(gains) - better - worse
    what = " and ".join(sorted({str(name).replace("_", " ") for name in gains["of"]})) + _protocol_note(
        gains.iloc[0].to_dict()
    )
    subjects, seeds = gains["subject"].nunique(), gains["seed"].nunique()
    counted = "subjects" if seeds == 1 else f"runs ({subjects} subjects, {seeds} seeds)"
    start = "Within subjects, the" if gains["protocol"].iloc[0] == "within" else "The"
    return (
        f"{start} decoded text beats the best control without the brain in {what} in {better} of "
        f"{len(gains)} {counted}, shows no difference in {same} and is worse in {worse}; mean gain "
        f"{gains['value'].mean():+.3f}."
    )


def _protocol_note(row: Mapping) -> str:
    protocol = row.get("protocol", "within")
    return "" if protocol == "within" else f" ({protocol_words(protocol)})"


def _some(row: Mapping, name: str) -> bool:
    return name in row and not pd.isna(row[name]) and float(row[name]) > 0


def adapter_sentence(nats: Sequence[Sequence[float]]) -> str:
    """What the decoder's adapter changed; ``nats`` a character of what was left out after numbers of updates."""
    (_, before), (updates, after) = nats[0], min(nats, key=lambda pair: pair[1])
    if not updates:
        return (
            f"The decoder's adapter was tried up to {nats[-1][0]:.0f} updates; none of them made left-out halves of "
            f"validation stories likelier ({before:.3f} nats a character), so the decoder stayed as it was."
        )
    return (
        f"The decoder's adapter took {updates:.0f} updates; left-out halves of validation stories then cost "
        f"{after:.3f} nats a character, {before:.3f} without it."
    )
