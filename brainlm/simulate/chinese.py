"""The Chinese vocabulary of the story generator: topics with their words, and sentence frames."""

from brainlm.simulate.english import SLOTS

_TOPICS = """
sea | 水手 船长 渔夫 潜水员 海盗 海豚 | 小船 船锚 渔网 海浪 贝壳 船帆 缆绳 灯塔 罗盘 | 港口 沙滩 海岛 | 驾驶 拖走 打捞 停泊 追赶 望见 | 咸的 潮湿 汹涌 深蓝 遥远 生锈
kitchen | 厨师 面包师 服务员 奶奶 客人 食客 | 热汤 面包 平锅 菜刀 烤箱 胡椒 蛋糕 黄油 盘子 | 厨房 面包房 餐馆 | 烘烤 品尝 搅拌 煮熟 切开 端上 | 滚烫 香甜 新鲜 辛辣 松脆 美味
forest | 猎人 护林员 狐狸 猫头鹰 黑熊 小鹿 | 大树 树枝 蘑菇 鸟窝 小路 落叶 苔藓 橡树 木头 | 森林 空地 木屋 | 跟踪 攀爬 采集 砍倒 嗅到 惊动 | 野生 茂密 翠绿 阴凉 空心 幽静
school | 老师 小学生 校长 大学生 图书员 同学 | 课本 铅笔 课程 考试 黑板 笔记本 作文 尺子 诗歌 | 教室 图书馆 操场 | 朗读 书写 学习 讲解 抄写 背诵 | 聪明 困难 无聊 印刷 智慧 好奇
hospital | 医生 护士 病人 外科医生 牙医 助产士 | 药片 绷带 针头 高烧 伤口 口罩 体温计 注射器 担架 | 医院 诊所 病房 | 治好 检查 包扎 注射 治疗 诊断 | 生病 无菌 疼痛 苍白 发热 红肿
space | 宇航员 科学家 机器人 外星人 天文学家 航天员 | 火箭 行星 恒星 月亮 卫星 彗星 望远镜 银河 流星 | 天文台 轨道 环形山 | 观测 环绕 发现 扫描 拍摄 探索 | 浩瀚 明亮 失重 寂静 宇宙 神秘
music | 歌手 鼓手 小提琴手 钢琴家 舞者 吉他手 | 歌曲 吉他 大鼓 钢琴 旋律 提琴 小号 乐谱 节奏 | 舞台 剧院 录音室 | 演奏 歌唱 排练 创作 调音 录制 | 响亮 缓慢 欢快 悦耳 温柔 著名
sport | 跑步者 守门员 教练 前锋 裁判 游泳者 | 足球 球门 比赛 奖牌 奖杯 哨子 球赛 球衣 球拍 | 体育场 健身房 赛场 | 踢飞 投出 赢得 击败 训练 接住 | 飞快 流汗 强壮 疲倦 健美 胜利
farm | 农夫 牧羊人 奶牛 马儿 白鹅 挤奶女 | 拖拉机 篱笆 小麦 干草 鸡蛋 牛奶 犁头 水桶 南瓜 | 谷仓 田野 马棚 | 喂养 挤出 耕种 收割 种植 浇水 | 成熟 泥泞 毛茸茸 乡村 灰尘 金黄
crime | 法官 律师 小偷 侦探 证人 警卫 | 证据 门锁 判决 手枪 珠宝 指纹 手铐 口供 钻石 | 法庭 监狱 金库 | 偷走 逮捕 控告 审问 辩护 藏起 | 有罪 清白 可疑 秘密 被盗 合法
travel | 司机 乘客 骑车人 修理工 搬运工 旅客 | 火车 公交车 车票 发动机 车轮 大桥 隧道 出租车 自行车 | 车站 车库 机场 | 驱车 停放 修理 错过 登上 穿过 | 拥挤 繁忙 晚点 吵闹 城市 电动
mountain | 登山者 滑雪者 向导 老鹰 野狼 隐士 | 白雪 冰川 暴风 冰块 岩石 山顶 雪崩 帐篷 悬崖 | 山谷 山洞 山脊 | 到达 熬过 走下 征服 面对 翻越 | 寒冷 冰冻 陡峭 刮风 多雾 结冰
"""  # noqa: E501

_FRAMES = """
那 个 {agent} {verb} 了 {adjective} 的 {thing}
在 {place} 里 {agent} {verb} 了 一 个 {thing}
{agent} 和 {agent2} 一起 {verb} 了 那 个 {thing}
然后 {agent} 又 {verb} 了 {thing}
没有 人 知道 {agent} 为什么 {verb} 了 {adjective} 的 {thing}
每 天 {agent} 都 {verb} 一些 {thing} 和 {thing2}
当 {agent} 来 到 {place} 的 时候 有 一 个 {adjective} 的 {thing}
就 是 这 个 {agent} {verb} 了 {thing}
{adjective} 的 {agent} 为 {agent2} {verb} 了 {thing}
后来 {agent} 再 一 次 {verb} 了 那 个 {thing}
{adjective} 的 {place} 里 有 {thing} 和 {thing2}
因为 {thing} 很 {adjective} 所以 {agent} {verb} 了 它
{agent} 告诉 {agent2} 那 个 {adjective} 的 {thing}
我们 在 {place} 看 到 一 个 {adjective} 的 {agent} 和 {thing}
于是 {agent} {verb} 了 {thing} 就 去 了 {place}
自从 {agent} {verb} 了 {thing} 就 没有 {thing2} 了
他们 说 {agent} 在 {place} {verb} 过 {thing}
{agent} 的 {thing} 又 {adjective} 又 {adjective2}
我 想 {agent} 从来 没有 {verb} 过 {thing}
但是 {adjective} 的 {agent} {verb} 了 {thing2} 和 {thing}
也许 {agent} 比 {agent2} 先 {verb} 了 {thing}
从 {place} 来 了 一 个 {adjective} 的 {agent} 带 着 {thing}
{agent} {verb} 的 只 是 一 个 {adjective} 的 {thing}
在 {place} 旁边 {agent} {verb} 并且 {verb2} 了 {thing}
{agent} 有 {thing} 而 {agent2} 有 {adjective} 的 {thing2}
没有 {thing} 的 {agent} 就 不 那么 {adjective}
不久 {agent} 用 {thing2} {verb} 了 {adjective} 的 {thing}
我们 都 在 {place} 的 时候 {agent} {verb} 了 {thing}
这 个 {thing} 和 那 个 {thing2} 一样 {adjective}
有 人 在 {place} 后面 {verb} 了 {thing}
像 往常 一样 {agent} 先 {verb} {thing} 再 {verb2} {thing2}
从 {place} 可以 看 到 {agent} 和 {adjective} 的 {thing}
好像 有 个 {agent} {verb} 了 {adjective} 的 {thing2}
没 多久 {agent2} 就 {verb} 了 {agent} 的 {thing}
一 个 {adjective} 的 {thing} 和 另外 两 个 都 在 {place}
{agent} 很 {adjective} 因为 有 人 {verb} 了 {thing}
要是 {agent} 不 在 {adjective} 的 {place} 就 好 了
去 {place} 的 路上 {agent} {verb} 了 一 个 {thing}
{agent} 怎么 {verb} 了 {thing} 是 个 {adjective} 的 问题
晚些 时候 {adjective} 的 {agent} 和 {agent2} 都 在 {place}
{agent} 没 要 {thing} 而 是 {verb} 了 {adjective} 的 {thing2}
关于 {agent} 和 {adjective} 的 {thing} 就 说 到 这里
"""

TOPICS = {
    row[0]: dict(zip(SLOTS, (part.split() for part in row[1:]), strict=True))
    for row in ([part.strip() for part in line.split("|")] for line in _TOPICS.strip().splitlines())
}
FRAMES = tuple(tuple(line.split()) for line in _FRAMES.strip().splitlines())
