"""Questions to one document alone, of kinds that people keep: release notes, a diary, a syllabus, a packing list."""

import pytest

import imi
import imi.cli

DOCUMENTS = {
    "release.md": (
        "# Release notes\n\n## 3.4.0 (12 May 2024)\n\n- Exports now run in the background.\n"
        "- The minimum supported version of Python is 3.9.\n\n## 3.3.2 (2 April 2024)\n\n"
        "- Fixed a memory leak in the thumbnail cache, reported by Ilse Brandt.\n"
    ),
    "庭.txt": (
        "四月三日　晴れ。南の花壇に石灰をまいた。\n四月十日　くもり。トマトの苗を三株買った。一株180円。\n"
        "五月二日　晴れ。トマトを植えた。竹は隣の大塚さんにもらった。\n六月一日　梅雨入り。あじさいの色が青い。\n"
    ),
    "日誌.md": "# 観察日誌\n\n## 7月8日\n\n朝顔の芽が出た。\n\n## 7月20日\n\n朝顔に水をやった。つるが伸びた。\n",
    "旅.md": "# 北海道\n\n5/3 羽田発 9:30、新千歳着\n5/4 小樽運河を散策\n5/5 旭山動物園\n5/6 帰り\n",
    "minutes.md": (
        "# Minutes\n\n## 14 January 2025\n\nThe annual fee stays at £38. The water is turned off until April.\n\n"
        "## 11 February 2025\n\nThe roof was repaired. Rosalind resigned as treasurer. Hugh takes over until June.\n"
    ),
    "議事録.md": "# 議事録\n\n秋祭りは10月18日に行う。雨なら翌日に延期する。\n会費は年2400円のまま変えない。\n",
    "syllabus.txt": (
        "GEO 214: Introduction to Glaciology\nSpring semester\n\nInstructor: Dr. Priya Raman\nOffice: Carver Hall 318\n"
        "Office hours: Tuesdays 2-4 pm\n\nGrading\nThe final exam counts for 45 percent.\n"
    ),
    "packing.md": (
        "# Packing list\n\nKitchen\n- coffee, 250 g\n- matches, 2 boxes\n\nPapers\n- passport\n\n"
        "Lena brings the tent. We meet at the petrol station in Brunsby at 7:40 on Friday.\n"
    ),
    "打ち上げ.txt": (
        "10:02 美咲：打ち上げ、どこにする？\n10:03 健太：駅前の「鳥よし」はどうかな\n10:05 美咲：いいね。何人来るの？\n"
        "10:06 健太：全部で9人。部長は来ない\n10:08 由紀：予算は一人4500円まででお願いします\n"
    ),
    "薬.txt": "眠くなることがありますので、車の運転は避けてください。\n\nひまわり薬局　電話 045-555-0188\n",
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
        assert imi.cli.main(["add", str(folder / f"{name}.imi"), str(folder / name), "-q"]) == 0
    return folder


@pytest.mark.parametrize(
    ("document", "question", "said"),
    [
        ("release.md", "When was version 3.4.0 released?", "3.4.0 (12 May 2024)"),
        ("release.md", "When was the memory leak fixed?", "3.3.2 (2 April 2024)"),
        ("日誌.md", "朝顔の芽はいつ出ましたか", "7月8日"),
        ("日誌.md", "朝顔のつるはいつ伸びましたか", "7月20日"),
        ("庭.txt", "トマトはいつ植えましたか？", "五月二日"),
        ("庭.txt", "トマトの苗は何株買いましたか？", "三株"),
        ("旅.md", "小樽にはいつ行きますか？", "5/4"),
        ("旅.md", "帰りはいつですか？", "5/6"),
        ("minutes.md", "When was the roof repaired?", "11 February"),
        ("minutes.md", "When did Rosalind resign?", "11 February"),
        ("minutes.md", "How much is the annual fee?", "£38"),
        ("議事録.md", "雨のときはどうなりますか？", "翌日"),
        ("syllabus.txt", "Where is the instructor's office?", "Carver Hall 318"),
        ("packing.md", "How much coffee do we take?", "250 g"),
        ("打ち上げ.txt", "何人来ますか？", "9人"),
        ("打ち上げ.txt", "予算は一人いくらですか？", "4500円"),
        ("薬.txt", "なぜ運転を避けるのですか？", "眠く"),
    ],
)
def test_the_sentence_that_answers_is_quoted(alone, document, question, said):
    with imi.open(alone / f"{document}.imi", mode="r") as collection:
        assert said in (imi.ask(collection, question).text or "")


def test_a_message_is_quoted_alone(alone):
    with imi.open(alone / "打ち上げ.txt.imi", mode="r") as collection:
        assert (
            imi.ask(collection, "予算は一人いくらですか？").text
            == "“10:08 由紀：予算は一人4500円まででお願いします” [1]"
        )


@pytest.mark.parametrize(
    ("document", "question"),
    [
        ("release.md", "Does it run on Android?"),
        ("release.md", "Who is the maintainer of the project?"),
        ("庭.txt", "きゅうりはいつ植えましたか？"),
        ("庭.txt", "肥料はいくらでしたか？"),
        ("旅.md", "函館にはいつ行きますか？"),
        ("旅.md", "レンタカーはいくらですか？"),
        ("minutes.md", "How many plots are there?"),
        ("議事録.md", "会長は誰ですか？"),
        ("syllabus.txt", "How many credits is the course worth?"),
        ("packing.md", "Who brings the camera?"),
        ("打ち上げ.txt", "二次会はどこでやりますか？"),
        ("薬.txt", "薬の値段はいくらですか？"),
    ],
)
def test_what_a_document_does_not_say_is_not_answered(alone, document, question):
    with imi.open(alone / f"{document}.imi", mode="r") as collection:
        assert imi.ask(collection, question).text is None
