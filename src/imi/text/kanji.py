"""Characters that are the same word to a reader: what nobody sees, and old or other forms of a kanji.

They are folded in what is compared, never in what is kept: a name stays as it is written.
"""

from __future__ import annotations

from imi.patterns import Pattern

# fmt: off
_FORMS = (
    "亞亜惡悪壓圧圍囲爲為醫医壹壱隱隠榮栄營営衞衛驛駅圓円鹽塩緣縁艷艶應応歐欧毆殴櫻桜奧奥橫横溫温穩穏假仮價価畫画會会壞壊懷懐"
    "繪絵擴拡殼殻覺覚學学嶽岳樂楽勸勧卷巻寬寛歡歓罐缶觀観關関陷陥巖巌顏顔歸帰氣気龜亀僞偽戲戯犧犠舊旧據拠擧挙虛虚峽峡挾挟狹狭"
    "鄕郷曉暁區区驅駆勳勲薰薫徑径惠恵揭掲溪渓經経繼継莖茎螢蛍輕軽鷄鶏藝芸擊撃缺欠儉倹劍剣圈圏檢検權権獻献縣県硏研險険顯顕驗験"
    "嚴厳效効廣広恆恒鑛鉱號号國国黑黒濟済碎砕齋斎劑剤雜雑參参慘惨棧桟蠶蚕贊賛殘残絲糸齒歯兒児辭辞濕湿實実舍舎寫写釋釈壽寿收収"
    "從従澁渋獸獣縱縦肅粛處処敍叙奬奨將将燒焼稱称證証乘乗剩剰壤壌孃嬢條条淨浄狀状疊畳讓譲釀醸囑嘱觸触寢寝愼慎晉晋眞真盡尽圖図"
    "粹粋醉酔隨随髓髄數数樞枢聲声靜静齊斉攝摂竊窃專専戰戦淺浅潛潜纖繊踐践錢銭禪禅雙双壯壮搜捜插挿爭争總総聰聡莊荘裝装騷騒增増"
    "臟臓藏蔵屬属續続墮堕對対帶帯滯滞臺台瀧滝擇択澤沢單単擔担膽胆團団彈弾斷断癡痴遲遅晝昼蟲虫鑄鋳廳庁聽聴敕勅鎭鎮遞逓鐵鉄轉転"
    "點点傳伝黨党盜盗燈灯當当鬪闘德徳獨独讀読屆届繩縄貳弐腦脳霸覇廢廃拜拝賣売麥麦發発髮髪拔抜蠻蛮祕秘彥彦濱浜濵浜甁瓶拂払佛仏"
    "竝並變変邊辺邉辺辨弁瓣弁辯弁舖舗穗穂寶宝襃褒豐豊沒没飜翻萬万滿満默黙彌弥藥薬譯訳豫予餘余與与譽誉搖揺樣様謠謡來来賴頼亂乱"
    "覽覧龍竜兩両獵猟綠緑壘塁淚涙勵励禮礼隸隷靈霊齡齢戀恋爐炉勞労樓楼灣湾髙高﨑崎嵜崎碕崎槇槙遙遥瑤瑶凜凛堯尭檜桧曾曽𠮷吉栁柳桒桑"
)
# fmt: on
_FORM = dict(zip(_FORMS[::2], _FORMS[1::2], strict=True))
_OTHER = Pattern(f"[{''.join(_FORM)}]")
_HIDDEN = Pattern(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0001-\U000e007f\U000e0100-\U000e01ef]"
)


def without_hidden(text: str) -> str:
    """Return a text without the characters that nobody sees: variation selectors, soft hyphens, bidi marks, …."""
    return _HIDDEN.compiled.sub("", text) if _HIDDEN.search(text) else text


def common_forms(text: str) -> str:
    """Return a text with each kanji in its common form: 髙橋 as 高橋, 國 as 国."""
    return _OTHER.compiled.sub(lambda match: _FORM[match[0]], text) if _OTHER.search(text) else text
