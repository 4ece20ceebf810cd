"""The English vocabulary of the story generator: topics with their words, and sentence frames."""

SLOTS = ("agent", "thing", "place", "verb", "adjective")

_TOPICS = """
sea | sailor captain fisherman diver pirate dolphin | boat anchor net wave shell sail rope lighthouse compass | harbour beach island | steered towed anchored launched hauled spotted | salty wet stormy deep coastal rusty
kitchen | cook baker waiter chef guest grandmother | soup bread pan knife oven pepper cake butter plate | kitchen bakery restaurant | baked tasted stirred boiled sliced served | hot sweet fresh spicy crisp delicious
forest | hunter ranger fox owl bear deer | tree branch mushroom nest trail leaf moss oak log | forest clearing cabin | followed climbed gathered chopped tracked sniffed | wild mossy green shady hollow leafy
school | teacher pupil principal student librarian classmate | book pencil lesson exam blackboard notebook essay ruler poem | classroom library playground | read wrote studied explained copied memorised | clever difficult boring printed wise curious
hospital | doctor nurse patient surgeon dentist midwife | pill bandage needle fever wound mask thermometer syringe stretcher | hospital clinic ward | healed examined bandaged injected treated diagnosed | sick sterile painful pale feverish swollen
space | astronaut scientist robot alien astronomer cosmonaut | rocket planet star moon satellite comet telescope galaxy meteor | observatory orbit crater | observed orbited discovered scanned photographed explored | distant bright lunar silent weightless cosmic
music | singer drummer violinist pianist dancer guitarist | song guitar drum piano melody violin trumpet concert rhythm | stage theatre studio | played sang rehearsed composed tuned recorded | loud slow cheerful musical gentle famous
sport | runner goalkeeper coach striker referee swimmer | ball goal race medal trophy whistle match jersey racket | stadium gym arena | kicked threw won defeated scored caught | fast sweaty strong tired athletic victorious
farm | farmer shepherd cow horse goose milkmaid | tractor fence wheat hay egg milk plough bucket pumpkin | barn field stable | fed milked ploughed harvested planted watered | ripe muddy woolly rural dusty golden
crime | judge lawyer thief detective witness guard | evidence lock verdict pistol jewel fingerprint handcuff alibi diamond | court prison vault | stole arrested accused questioned defended hid | guilty innocent suspicious secret stolen legal
travel | driver passenger cyclist mechanic porter commuter | train bus ticket engine wheel bridge tunnel taxi bicycle | station garage airport | drove parked repaired missed boarded crossed | crowded busy late noisy urban electric
mountain | climber skier mountaineer eagle wolf hermit | snow glacier storm ice rock summit avalanche tent cliff | valley cave ridge | reached survived descended conquered faced scaled | cold frozen steep windy foggy icy
"""  # noqa: E501

_FRAMES = """
the {agent} {verb} the {adjective} {thing}
a {adjective} {thing} was near the {place} and the {agent} {verb} it
in the {place} the {agent} {verb} a {thing}
the {agent} and the {agent2} {verb} the {thing} together
then the {agent} {verb} the {thing} in the {place}
nobody knew why the {agent} {verb} the {adjective} {thing}
every day the {agent} {verb} some {thing} and a {thing2}
when the {agent} came to the {place} there was a {adjective} {thing}
it was the {agent} who {verb} the {thing}
the {adjective} {agent} {verb} a {thing} for the {agent2}
after that the {agent} {verb} the {thing} again
there was a {thing} with a {thing2} in the {adjective} {place}
because the {thing} was {adjective} the {agent} {verb} it
the {agent} told the {agent2} about the {adjective} {thing}
at the {place} we saw a {adjective} {agent} with a {thing}
so the {agent} {verb} the {thing} and went to the {place}
once the {agent} {verb} the {thing} there was no {thing2} any more
they said that the {agent} {verb} a {thing} at the {place}
the {thing} of the {agent} was {adjective} and {adjective2}
i think the {agent} never {verb} the {thing}
but the {adjective} {agent} {verb} the {thing2} and the {thing}
maybe the {agent} {verb} the {thing} before the {agent2} did
from the {place} came a {adjective} {agent} with the {thing}
what the {agent} {verb} was only a {adjective} {thing}
near the {place} the {agent} {verb} and {verb2} the {thing}
the {agent} had a {thing} and the {agent2} had a {adjective} {thing2}
without the {thing} the {agent} was not so {adjective}
soon the {agent} {verb} the {adjective} {thing} with a {thing2}
all of us were at the {place} when the {agent} {verb} the {thing}
this {thing} was as {adjective} as the {thing2}
somebody {verb} the {thing} behind the {place}
as always the {agent} {verb} the {thing} and then the {thing2}
you could see the {agent} and a {adjective} {thing} from the {place}
it seemed that a {agent} {verb} the {adjective} {thing2}
before long the {agent2} {verb} the {thing} of the {agent}
one {adjective} {thing} and two more were at the {place}
the {agent} was {adjective} because somebody {verb} the {thing}
if only the {agent} had not been in the {adjective} {place}
on the way to the {place} the {agent} {verb} a {thing}
how the {agent} {verb} the {thing} was a {adjective} question
later the {adjective} {agent} and the {agent2} were at the {place}
instead of the {thing} the {agent} {verb} the {adjective} {thing2}
so much for the {adjective} {thing} and its {agent}
"""


def _rows(text: str) -> list[list[str]]:
    return [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]


TOPICS = {row[0]: dict(zip(SLOTS, (part.split() for part in row[1:]), strict=True)) for row in _rows(_TOPICS)}
FRAMES = tuple(tuple(line.split()) for line in _FRAMES.strip().splitlines())
