"""Subtitles, calendars, contacts, Rich Text, OpenDocument, logs and settings."""

import time
import zipfile

import pytest

from imi.errors import Failure, UsageError
from imi.text.readers import ReadOptions, Report, read


def taken(path, raw, **options):
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    items = list(read(str(path), ReadOptions(**options)))
    rows = [one.document for one in items if not isinstance(one, Failure)]
    return rows, [one.reason for one in items if isinstance(one, Failure)]


# --- subtitles ---

SRT = (
    "\ufeff1\r\n00:00:01,000 --> 00:00:04,200\r\nWelcome to the aquarium.\r\n\r\n2\r\n00:00:04,500 --> 00:00:09,000\r\n"
    "<i>The octopus has three hearts,</i>\r\n{\\an8}and nine brains.\r\n\r\n3\r\n01:01:10,000 --> 01:01:13,000\r\n"
    "Feeding time is at 14:30 --> 15:00.\r\n"
)


def test_what_is_said_without_a_pause_is_a_paragraph(tmp_path):
    (row,), reasons = taken(tmp_path / "a.srt", SRT)
    assert row.text == (
        "Welcome to the aquarium. The octopus has three hearts, and nine brains.\n\nFeeding time is at 14:30 --> 15:00."
    )
    assert reasons == [] and row.metadata["line"] == 3 and row.metadata["time"] == "0:00:01"
    later = "".join(f"\n01:0{at}:10,000 --> 01:0{at}:13,000\n{'Bring a coat. ' * 9}\n" for at in range(2, 6))
    rows, _ = taken(tmp_path / "a.srt", SRT + later, passage=100)
    assert rows[-1].metadata["time"] == "1:05:10" and rows[-1].id.startswith(f"{tmp_path}/a.srt:24")


def test_voices_readings_and_notes_of_webvtt(tmp_path):
    (row,), _ = taken(
        tmp_path / "a.vtt",
        "WEBVTT - a title\nKind: captions\n\nNOTE by hand\n\nSTYLE\n::cue {color:red}\n\nintro\n"
        "00:00.000 --> 00:03.000 line:0\n"
        "<v 山田>本日は<ruby>高橋<rt>たかはし</rt></ruby>さん<00:01.000>に\nお話を伺います。\n\n"
        "00:03.500 --> 00:08.000\n<v.loud 高橋>四月 &amp; 五月です。\n",
    )
    assert row.text == "山田: 本日は高橋さんにお話を伺います。\n\n高橋: 四月 & 五月です。"


def test_lines_that_roll_up_are_said_once(tmp_path):
    cues = [
        ("the first line of it", ""),
        ("the first line of it", "and then the second"),
        ("and then the second", "No!"),
        ("No!", "No!"),
    ]
    text = "WEBVTT\n\n" + "".join(
        f"00:0{at}.000 --> 00:0{at + 1}.000\n{above}\n{below}\n\n" for at, (above, below) in enumerate(cues)
    )
    (row,), _ = taken(tmp_path / "a.vtt", text)
    assert row.text == "the first line of it and then the second No! No! No!"


@pytest.mark.parametrize("raw", ["WEBVTT\n", "1\n2\n3\n", "00:00:01,000 --> 00:00:02,000\n\n"])
def test_subtitles_that_say_nothing(tmp_path, raw):
    assert taken(tmp_path / "a.srt", raw) == ([], ["the file holds no text"])


# --- calendars and contacts ---

EVENT = (
    "BEGIN:VCALENDAR\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Asia/Tokyo\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nDTSTART;TZID=\"Asia/Tokyo: x\":20261205T183000\r\n"
    "SUMMARY;LANGUAGE=en:Piano recital\\, of Mi\r\n ka\r\nDESCRIPTION:Bring flowers.\\nPark: behind.\r\n"
    "ATTENDEE;CN=\"Lee, Ann\";ROLE=CHAIR:mailto:ann@example.com\r\nATTENDEE:MAILTO:bob@example.com\r\n"
    "RRULE:FREQ=WEEKLY;BYDAY=MO\r\nBEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    "BEGIN:VTODO\r\nDUE;VALUE=DATE:20261224\r\nSUMMARY:歯医者\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)  # fmt: skip


def test_events_and_tasks_are_rows_with_columns(tmp_path):
    rows, reasons = taken(tmp_path / "a.ics", EVENT)
    assert [row.text for row in rows] == [
        "title: Piano recital, of Mika; start: 2026-12-05 18:30; details: Bring flowers.\nPark: behind.; "
        "repeats: every week on Monday; attendees: Lee, Ann, bob@example.com",
        "title: 歯医者; due: 2026-12-24",
    ]
    assert reasons == [] and rows[0].metadata["start"] == "2026-12-05 18:30" and rows[0].metadata["line"] == 9
    rows, _ = taken(tmp_path / "a.ics", EVENT, template="{title} ({start})")
    assert rows[0].text == "Piano recital, of Mika (2026-12-05 18:30)"
    with pytest.raises(UsageError, match="no column 'place of birth'"):
        taken(tmp_path / "a.ics", EVENT, template="{place of birth}")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU", "every 2 weeks on Monday, Wednesday"),
        ("FREQ=YEARLY;UNTIL=20301231T000000Z", "every year until 2030-12-31"),
        ("FREQ=MONTHLY;INTERVAL=1;COUNT=6", "every month, 6 times"),
        ("FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=2TU"),
        ("FREQ=WEEKLY;BYHOUR=9,17", "FREQ=WEEKLY;BYHOUR=9,17"),
        ("=;;FREQ", "=;;FREQ"),
    ],
)
def test_how_often_an_event_is(tmp_path, rule, said):
    (row,), _ = taken(tmp_path / "a.ics", f"BEGIN:VEVENT\nSUMMARY:x\nRRULE:{rule}\nEND:VEVENT\n")
    assert row.metadata["repeats"] == said


def test_contacts_of_old_and_new_telephones_are_rows(tmp_path):
    cards = (
        "BEGIN:VCARD\nVERSION:3.0\nN:Alvarez;Maria;;Dr.;\nFN:Dr. Maria Alvarez\nitem1.TEL;TYPE=work:tel:+44-113\n"
        "ADR;TYPE=home:;;1 High St;Leeds;;LS1;UK\nPHOTO;ENCODING=b:AAAA\n AAAA\nBDAY:19800229\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=SHIFT_JIS;ENCODING=QUOTED-PRINTABLE:=8E=52=93=63;=\n=91=BE=98=59\n"
        "TEL;CELL:090-1234-5678\nEND:VCARD\n"
    )
    rows, reasons = taken(tmp_path / "a.vcf", cards)
    assert [row.text for row in rows] == [
        "name: Dr. Maria Alvarez; telephone: +44-113; address: 1 High St, Leeds, LS1, UK; birthday: 1980-02-29",
        "name: 山田 太郎; telephone: 090-1234-5678",
    ]
    assert reasons == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("width", [20, 21, 75])
def test_characters_whose_bytes_were_folded_apart_are_read(tmp_path, encoding, width):
    def folded(line):
        raw = line.encode(encoding)
        return b"\r\n ".join(raw[at : at + width] for at in range(0, len(raw), width)) + b"\r\n"

    said = "来週の月曜日に本社の会議室で開かれる予算会議についてのお知らせです。"
    lines = [f"SUMMARY:{said}", "DTSTART:20261205", f"DESCRIPTION:a{said}"]
    raw = b"BEGIN:VEVENT\r\n" + b"".join(map(folded, lines)).replace("\ufeff".encode(), b"") + b"END:VEVENT\r\n"
    rows, reasons = taken(tmp_path / "a.ics", raw, encoding=encoding)
    assert [row.text for row in rows] == [f"title: {said}; start: 2026-12-05; details: a{said}"] and reasons == []


def test_a_line_that_cannot_be_read_does_not_join_another(tmp_path):
    raw = b"BEGIN:VEVENT\nSUMMARY:x\nDESCRIPTION:\xff\xfe\n more\nLOCATION:y\nEND:VEVENT\n" + "COMMENT:猫".encode()
    rows, reasons = taken(tmp_path / "a.ics", raw)
    assert [row.text for row in rows] == ["title: x; place: y"] and len(reasons) == 1 and "0xFF" in reasons[0]


def test_a_calendar_without_events_says_so(tmp_path):
    said = ["the file holds no events and no contacts"]
    assert taken(tmp_path / "a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n") == ([], said)
    assert taken(tmp_path / "a.vcf", "END:VCARD\nBEGIN:VCARD\n:\n;\n") == ([], said)


# --- Rich Text ---


def rtf(body, page=1252):
    fonts = r"{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset128 MS Mincho;}{\f2\fcharset204{\*\falt x}Arial;}}"
    return rf"{{\rtf1\ansi\ansicpg{page}\deff0{fonts}{{\*\generator Riched20;}}\viewkind4\pard {body}}}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"Notice\par\b Water\b0  is off\line today.\par", "Notice\n\nWater is off\ntoday."),
        (r"\f1\'8e\'96\f0  and caf\'e9", "事 and café"),
        (r"\f2\'cc\'e8\'f0", "Мир"),
        (r"\u8364?5 \u-10179?\u-8704?", "€5 😀"),
        (r"\uc2\u20803ab\uc1\u-30050\'3f!", "元語!"),
        (r"a\{b\}\\c\~d\_e\emdash", "a{b}\\c\xa0d-e—"),
        (
            r"{\pict\pngblip 89504e47}{\field{\*\fldinst HYPERLINK x}{\fldrslt here}}{\*\unknown gone}{\info x}",
            "here",
        ),
        (r"\trowd\cellx1 a\cell b\cell\row\trowd c\cell d\cell\row", "a | b\nc | d"),
        (r"{\bin3 \}{x}y", "xy"),
        (r"a{\shp{\*\shpinst{\sp{\sn x}{\sv 9}}{\shptxt In a box.\par}}{\shprslt{\*\do x}}} b", "a In a box. b"),
        (r"a {\v index}b\v c\v0 d\v e\plain f", "a bdf"),
        (r"\'zz\u}}}\'4", "'zz'4"),
    ],
)
def test_rich_text_gives_its_text(tmp_path, body, text):
    rows, reasons = taken(tmp_path / "a.rtf", rtf(body))
    assert reasons == [] and " ".join(row.text for row in rows).split() == text.split()


def test_deep_rich_text_is_read_in_the_time_of_its_length(tmp_path):
    rows, _ = taken(tmp_path / "a.rtf", "{\\rtf1 " + "{\\b " * 50_000 + "cats" + "}" * 50_000 + "}")
    assert [row.text for row in rows] == ["cats"]
    assert taken(tmp_path / "a.rtf", "cats")[1] == ["no readable Rich Text file: it does not begin as one"]
    assert taken(tmp_path / "a.rtf", "{\\rtf1 }")[1] == ["the file holds no text"]


# --- OpenDocument ---

NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (("o", "office"), ("t", "text"), ("b", "table"), ("d", "drawing"), ("s", "presentation"))
)


def opened(path, body, title="The file"):
    meta = f'<m xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></m>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", f"<o:x {NAMES}><o:body>{body}</o:body></o:x>")
        archive.writestr("meta.xml", meta)
    items = list(read(str(path), ReadOptions()))
    rows = [one.document for one in items if not isinstance(one, Failure)]
    return rows, [one.reason for one in items if isinstance(one, Failure)]


def test_a_text_with_headings_lists_tables_notes_and_readings(tmp_path):
    rows, reasons = opened(
        tmp_path / "a.odt",
        "<t:tracked-changes><t:p>gone</t:p></t:tracked-changes>"
        "<t:table-of-content><t:p>Lease 1</t:p></t:table-of-content>"
        '<t:h t:outline-level="1">Lease</t:h><t:p>The <t:span>rent</t:span><t:s t:c="2"/>is 900<t:line-break/>a month'
        "<t:note><t:note-citation>1</t:note-citation><t:note-body><t:p>In cash.</t:p></t:note-body></t:note>."
        "<o:annotation><t:p>remark</t:p></o:annotation></t:p>"
        "<t:list><t:list-item><t:p>keys</t:p>"
        "<t:list><t:list-item><t:p>two</t:p></t:list-item></t:list></t:list-item></t:list>"
        '<t:h t:outline-level="2"><t:ruby><t:ruby-base>費用</t:ruby-base>'
        "<t:ruby-text>ひよう</t:ruby-text></t:ruby></t:h>"
        "<b:table><b:table-row><b:table-cell><t:p>gas</t:p></b:table-cell><b:table-cell><t:p>40</t:p></b:table-cell>"
        "</b:table-row></b:table>",
    )
    assert [row.text for row in rows] == [
        "Lease\nThe rent  is 900\na month.\n\nIn cash.\n\n- keys\n- two",
        "Lease > 費用\ngas | 40",
    ]
    assert reasons == []


def test_slides_have_pages_and_a_file_without_headings_its_title(tmp_path):
    box = "<d:text-box><t:p>{}</t:p></d:text-box></d:frame>"
    page = f'<d:page><d:frame s:class="title">{box}<d:frame>{box}</d:page>'
    rows, _ = opened(tmp_path / "a.odp", page.format("One", "first") + page.format("Two", "second"))
    assert [(row.text, row.metadata["page"]) for row in rows] == [("One\nfirst", 1), ("Two\nsecond", 2)]
    assert opened(tmp_path / "a.odt", "<t:p>cats</t:p>")[0][0].text == "The file\ncats"
    assert opened(tmp_path / "a.odt", "")[1] == ["the file holds no text"]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("b:table b:table-row b:table-cell", "<t:p>deep</t:p>"),
        ("t:p d:frame d:text-box", "<t:p>deep</t:p>"),
        ("t:list t:list-item", "<t:p>deep</t:p>"),
        ("t:section", "<t:p>deep</t:p>"),
        ("t:span", "<t:p><t:span>deep</t:span></t:p>"),
    ],
)
@pytest.mark.parametrize("depth", [20, 3000])
def test_what_is_nested_is_read_once_or_refused(tmp_path, outer, inner, depth):
    names = outer.split() * depth
    body = "".join(f"<{name}>" for name in names) + inner + "".join(f"</{name}>" for name in reversed(names))
    rows, reasons = opened(tmp_path / "a.odt", body)
    assert "".join(row.text for row in rows).count("deep") == (not reasons)
    assert reasons in ([], ["no readable OpenDocument file: its elements are nested too deeply"])
    assert depth > 20 or rows


def test_a_bomb_of_a_text_is_refused(tmp_path):
    assert "would unpack" in opened(tmp_path / "a.odt", " " * 5_000_000)[1][0]


# --- logs and settings ---


@pytest.mark.parametrize(
    "kind", ["log", "yaml", "yml", "toml", "ini", "cfg", "conf", "properties", "xml", "css", "org", "tex"]
)
def test_logs_and_settings_are_read_with_their_lines(tmp_path, kind):
    text = "".join(f"line {at} says nothing much at all\n" for at in range(99)) + "port = 8443\n"
    rows, reasons = taken(tmp_path / f"a.{kind}", text)
    assert reasons == [] and rows[0].metadata["line"] == 1 and rows[-1].metadata["line"] > 50
    assert any("port = 8443" in row.text for row in rows)


# --- mailboxes ---

BOX = (
    b"From ann@example.com Mon Nov 16 09:12:00 2026\nSubject: Keys\nFrom: Ann <ann@example.com>\n\n"
    b"The keys are with Bob.\n"
    b">From there on it is easy.\nFrom here too\n\n"
    b"From bob@example.com Tue Nov 17 10:00:00 2026\nSubject: =?utf-8?b?6Y21?=\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B80$O;}$C$F$$$^$9!#\x1b(B\n\n--b\n"
    b"Content-Disposition: attachment; filename=a.pdf\nContent-Type: application/pdf\n\nx\n--b--\n\nFrom x\n\n"
)


def test_all_messages_of_a_mailbox_are_read(tmp_path):
    path = tmp_path / "a.mbox"
    rows, reasons = taken(path, BOX)
    assert [row.text for row in rows] == [
        "Keys\nThe keys are with Bob.\nFrom there on it is easy.\nFrom here too", "鍵\n鍵は持っています。"
    ]  # fmt: skip
    assert [row.id for row in rows] == [f"{path}#1#1", f"{path}#2#1"] and rows[0].metadata["from"].startswith("Ann")
    assert {row.metadata["source"] for row in rows} == {str(path)} and rows[0].parent != rows[1].parent
    assert reasons == ["message 3: the mail holds no text"]
    assert taken(path, "cats") == ([], ["the file holds no messages"])


PAGE = "Content-Type: text/html"


def several(*parts):
    body = "".join(f"--b\n{head}\n\n{text}\n" for head, text in parts)
    return f"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{body}--b--\n"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([("", "Above."), ("Content-Type: image/png", "x"), ("", "Below.")], "Above.\n\nBelow."),
        (
            [(PAGE, "<p>The page.</p>"), ("", "The list's\nnotice.")],
            "The page.|The list's|notice.",
        ),
        ([(PAGE, "<p>One.</p>"), (PAGE, "<p>Two.</p>")], "One.|Two."),
        ([("", "Here."), ("Content-Disposition: attachment", "Gone.")], "Here."),
    ],
)
def test_all_texts_of_a_message_are_read(tmp_path, parts, text):
    (row,), reasons = taken(tmp_path / "a.eml", several(*parts))
    assert reasons == [] and row.text.split() == ["x", *text.replace("|", " ").split()]


@pytest.mark.parametrize("charset", ["a\0b", "none", "undefined", "hex", "x" * 300])
def test_a_charset_that_is_none_does_not_stop_a_mail(tmp_path, charset):
    (row,), reasons = taken(
        tmp_path / "a.eml", f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n猫がいます。"
    )
    assert row.text == "x\n猫がいます。" and reasons == []


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc-jp", "iso-2022-jp"])
def test_headers_and_texts_that_declare_no_encoding_are_read(tmp_path, encoding):
    mail = "Subject: 来週の予定についての\n お知らせ\nFrom: 山田太郎 <a@b.jp>\n\n明日は会議です。資料を送ります。\n"
    (row,), reasons = taken(tmp_path / "a.eml", mail.encode(encoding))
    assert row.text == "来週の予定についての お知らせ\n明日は会議です。資料を送ります。" and reasons == []
    assert row.metadata["from"] == "山田太郎 <a@b.jp>"


def test_a_message_within_a_message_is_named(tmp_path):
    (tmp_path / "a.eml").write_text(several(("", "Look."), ("Content-Type: message/rfc822", "Subject: y\n\nLost.")))
    report = Report()
    rows = list(read(str(tmp_path / "a.eml"), ReadOptions(report=report)))
    assert len(rows) == 1 and [one.text for one in report.notices] == ["what is attached is not read: message/rfc822"]


def test_a_message_nested_too_deeply_does_not_stop_the_others(tmp_path):
    deep = b"From x\nSubject: x\n" + b"Content-Type: message/rfc822\n\n" * 3000 + b"x\n\n"
    rows, reasons = taken(tmp_path / "a.mbox", deep + BOX)
    assert len(rows) == 2 and reasons[0] == "message 1 cannot be read: its elements are nested too deeply"


def test_signs_that_mail_programs_add_to_an_old_encoding_are_read(tmp_path):
    body = b"Subject: x\nContent-Type: text/plain; charset=ISO-2022-JP\n\n\x1b$B-!\x1b(B \x1b$B-j;3ED\x1b(B"
    (row,), reasons = taken(tmp_path / "a.eml", body)
    assert row.text == "x\n① ㈱山田" and reasons == []


@pytest.mark.parametrize(("name", "piece"), [("Subject", "=?utf-8?q?a?= "), ("To", "a@b, ")])
def test_a_header_without_end_is_cut_and_shows_it(tmp_path, name, piece):
    (row,), reasons = taken(tmp_path / "a.eml", f"{name}: {piece * 9_000}\n\nhi")
    said = row.metadata[name.lower()]
    assert reasons == [] and row.text.endswith("hi") and len(said) < 10_100 and said.endswith("…")


def test_a_kind_without_end_is_read(tmp_path):
    (row,), reasons = taken(tmp_path / "a.eml", f"Content-Type: text/plain{'; a=b' * 9_000}\n\nhi")
    assert reasons == [] and row.text == "hi"


def test_a_locked_text_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
        archive.writestr("content.xml", b"\x87\x12")
    (failure,) = read(str(tmp_path / "a.odt"))
    assert failure.reason == "no readable OpenDocument file: it is locked by a password"


# --- without end ---


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.ics", "BEGIN:VEVENT\nSUMMARY:x\n" + "ATTENDEE:a@b.c\n" * 25_000 + "END:VEVENT\n"),
        ("a.ics", "BEGIN:VEVENT\nSUMMARY:x\n" + " y\n" * 60_000 + "END:VEVENT\n"),
        ("a.ics", "BEGIN:VEVENT\nSUMMARY:x\n" + "BEGIN:VALARM\n" * 25_000),
        ("a.vcf", "BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:x=\n" + "y=\n" * 60_000 + "END:VCARD\n"),
        ("a.srt", "00:00:01,000 --> 00:00:02,000\n" + "y\n" * 60_000),
        ("a.srt", "00:00:01,000 --> 00:00:02,000\ny\n" * 8_000),
        ("a.mbox", "From x\n\n" * 600),
        ("a.rtf", "{\\rtf1 " + "\\u8364?" * 50_000 + "}"),
    ],
)
def test_what_has_no_end_takes_a_time_like_its_length(tmp_path, name, raw):
    began = time.process_time()
    taken(tmp_path / name, raw)
    assert time.process_time() - began < 2
