"""Lists real pooling areas of mainland China by GB/T 2260 code, for generated claims and the demo's policies.

Only the codes and names are real: no policy, person, institution or amount of these places is in this package.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """Is one pooling area: its six-digit code, its province's two digits, its names."""

    code: int
    province: int
    name_zh: str
    name_en: str


_CITIES = """
11 北京 Beijing
12 天津 Tianjin
1301 石家庄 Shijiazhuang · 1302 唐山 Tangshan · 1303 秦皇岛 Qinhuangdao · 1304 邯郸 Handan
1401 太原 Taiyuan · 1402 大同 Datong · 1403 阳泉 Yangquan · 1404 长治 Changzhi
1501 呼和浩特 Hohhot · 1502 包头 Baotou · 1503 乌海 Wuhai · 1504 赤峰 Chifeng
2101 沈阳 Shenyang · 2102 大连 Dalian · 2103 鞍山 Anshan · 2104 抚顺 Fushun
2201 长春 Changchun · 2202 吉林 Jilin · 2203 四平 Siping · 2204 辽源 Liaoyuan
2301 哈尔滨 Harbin · 2302 齐齐哈尔 Qiqihar · 2303 鸡西 Jixi · 2304 鹤岗 Hegang
31 上海 Shanghai
3201 南京 Nanjing · 3202 无锡 Wuxi · 3203 徐州 Xuzhou · 3204 常州 Changzhou · 3205 苏州 Suzhou
3301 杭州 Hangzhou · 3302 宁波 Ningbo · 3303 温州 Wenzhou · 3304 嘉兴 Jiaxing · 3305 湖州 Huzhou
3401 合肥 Hefei · 3402 芜湖 Wuhu · 3403 蚌埠 Bengbu · 3404 淮南 Huainan
3501 福州 Fuzhou · 3502 厦门 Xiamen · 3503 莆田 Putian · 3504 三明 Sanming
3601 南昌 Nanchang · 3602 景德镇 Jingdezhen · 3603 萍乡 Pingxiang · 3604 九江 Jiujiang
3701 济南 Jinan · 3702 青岛 Qingdao · 3703 淄博 Zibo · 3704 枣庄 Zaozhuang · 3709 泰安 Tai'an
4101 郑州 Zhengzhou · 4102 开封 Kaifeng · 4103 洛阳 Luoyang · 4104 平顶山 Pingdingshan · 4105 安阳 Anyang
4201 武汉 Wuhan · 4202 黄石 Huangshi · 4203 十堰 Shiyan · 4205 宜昌 Yichang · 4206 襄阳 Xiangyang
4301 长沙 Changsha · 4302 株洲 Zhuzhou · 4303 湘潭 Xiangtan · 4304 衡阳 Hengyang · 4305 邵阳 Shaoyang
4401 广州 Guangzhou · 4402 韶关 Shaoguan · 4403 深圳 Shenzhen
4404 珠海 Zhuhai · 4415 汕尾 Shanwei · 4418 清远 Qingyuan
4501 南宁 Nanning · 4502 柳州 Liuzhou · 4503 桂林 Guilin · 4504 梧州 Wuzhou
4601 海口 Haikou · 4602 三亚 Sanya · 4603 三沙 Sansha · 4604 儋州 Danzhou
50 重庆 Chongqing
5101 成都 Chengdu · 5103 自贡 Zigong · 5104 攀枝花 Panzhihua · 5105 泸州 Luzhou · 5106 德阳 Deyang
5201 贵阳 Guiyang · 5202 六盘水 Liupanshui · 5203 遵义 Zunyi · 5204 安顺 Anshun
5301 昆明 Kunming · 5303 曲靖 Qujing · 5304 玉溪 Yuxi · 5305 保山 Baoshan
5401 拉萨 Lhasa · 5402 日喀则 Shigatse · 5403 昌都 Chamdo · 5404 林芝 Nyingchi
6101 西安 Xi'an · 6102 铜川 Tongchuan · 6103 宝鸡 Baoji · 6104 咸阳 Xianyang
6201 兰州 Lanzhou · 6202 嘉峪关 Jiayuguan · 6203 金昌 Jinchang · 6204 白银 Baiyin
6301 西宁 Xining · 6302 海东 Haidong · 6322 海北 Haibei · 6323 黄南 Huangnan
6401 银川 Yinchuan · 6402 石嘴山 Shizuishan · 6403 吴忠 Wuzhong · 6404 固原 Guyuan
6501 乌鲁木齐 Urumqi · 6502 克拉玛依 Karamay · 6504 吐鲁番 Turpan · 6505 哈密 Hami
"""


def regions() -> tuple[Place, ...]:
    """Returns the pooling areas in the order of their codes: municipalities whole, otherwise some cities each."""
    entries = [entry.split() for line in _CITIES.split("\n") for entry in line.split("·") if entry.strip()]
    return tuple(Place(int(code.ljust(6, "0")), int(code[:2]), zh, en) for code, zh, en in entries)
