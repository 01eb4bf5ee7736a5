const WORDS = {
  en: {
    ask: "Ask", tasks: "Tasks", more: "More", try: "Try", examples: "Questions to try", stars: (name, n) => `${name}: ${n} of 5 stars`,
    nearness: (n) => `nearness ${n} %`, copies: (n) => `${n} that say the same`, alsoShort: { text: "text, too", meaning: "meaning, too", hybrid: "both" },
    nothingNear: "Nothing here comes near this.", leastFar: "Show what is least far", fartherOn: "From here on nothing is near",
    noTextFiltered: (n) => `None of the ${n.toLocaleString()} documents that match the filters contains these words.`, passing: (n, all) => `${n.toLocaleString()} of ${all.toLocaleString()} match`,
    askInvite: "Ask a question: the answer is put together from the documents, and every sentence opens the passage it rests on.",
    answer: "Answer", passages: "Passages", nearestPassages: "Nearest passages", quoted: "Quoted from the documents", writtenBy: (llm) => `Written by ${llm}, checked against the passages`, openPassage: (n) => `Open passage ${n}`, doubted: "The passage does not seem to say this",
    noAnswer: "Nothing here answers that.", noAnswerSays: "These are the passages that come nearest; they have too little of the question in them.", noPassage: "No passage was found.",
    taskName: { cluster: "Groups", anomalies: "Outliers", dedupe: "Duplicates", map: "Map" },
    taskSays: { cluster: "What the documents are about: groups by meaning, each with its typical texts.", anomalies: "Documents that are unlike all others, and why.", dedupe: "Documents that say the same, or nearly.", map: "All documents on a plane; those near in meaning lie near each other." },
    taskRun: { cluster: "Find groups", anomalies: "Find outliers", dedupe: "Find duplicates", map: "Open the map" }, taskWorking: "Working …", group: "Group", count: (n) => n.toLocaleString(),
    clustersSay: (n, silhouette, stability) => `${n} groups · silhouette ${silhouette.toFixed(2)} · stability ${stability.toFixed(2)} (1: the same each time)`,
    anomaliesSay: (n, all) => `${n.toLocaleString()} of ${all.toLocaleString()} stand out, the oddest first.`, dedupeSay: (n, extra) => `${n.toLocaleString()} groups; ${extra.toLocaleString()} documents could go. Nothing is deleted here.`, anomaliesNone: "Nothing stands out.", dedupeNone: "No two documents say the same.",
    pictureAsked: "The picture that is searched by", pictureDrop: "Let go of the picture", notAPicture: (name) => `${name} cannot be read as a picture.`,
    asAWhole: "A picture is compared as a whole, so there are no tokens to show.", noVectorOfWords: "No model here compares words with pictures.", showAll: "Show all of it",
    pair: "Side by side", pairHint: "The map by all dimensions beside that of the slider", mapAll: (all) => `Drawn from all ${all} dimensions.`,
    mapDims: (n, all) => `Drawn from ${n} of ${all} dimensions.`, wordOnMap: (word, n) => `Large points: the ${n.toLocaleString()} whose text contains “${word}”.`,
    skip: "Skip to the question", collection: "Collection", search: "Search", map: "Map", views: "View", modes: "Ways of searching",
    addFile: "Add a file", theme: "Dark or light", other: "日本語", otherLabel: "日本語に切り替える",
    askLabel: "Ask in any language", askHint: "Ask in any language · 猫 · 🐱",
    filters: "Filters", clear: "Clear all", any: "any", from: "from", to: "to", contains: "contains", yes: "yes", no: "no", remove: (what) => `Remove the filter ${what}`,
    noColumns: "These documents have no columns to filter by.", filled: (n, all) => (n < all ? `${n.toLocaleString()} of ${all.toLocaleString()} have it` : ""),
    text: "Text", meaning: "Meaning", hybrid: "Both",
    textSays: "what is written", meaningSays: "what is meant", hybridSays: "the two weighed together",
    also: { text: "also found by text", meaning: "also found by meaning", hybrid: "also found by both together" },
    why: "Why?", read: "Read it", whyOf: (id) => `Why ${id} was found`, readOf: (id) => `Read ${id}`,
    took: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`, score: "score", characters: (n) => `${n.toLocaleString()} characters`,
    noText: "No text; a vector alone.", noHits: { text: "No document contains these words.", meaning: "No document has a meaning yet.", hybrid: "Nothing was found." },
    noHitsFiltered: "No document matches the filters.", searching: "Searching …", found: (n) => `${n} found by meaning`,
    size: "Dimensions", sizeLabel: "How many dimensions of each vector are compared", sizeAll: (n) => `all ${n} dimensions`, sizeSome: (n, all) => `${n} of ${all} dimensions`,
    sizeSays: (smaller) => `${smaller}× smaller`, same: (n, all) => `${n} of ${all} hits stay`, sameHint: "Ask something, then move this: how much of the answer stays when most of each vector is thrown away?",
    isNew: "new", ranks: { up: (n) => `up ${n}`, down: (n) => `down ${n}` },
    first: "From this collection", holds: (n, model, dims) => `${n.toLocaleString()} documents${model ? ` · ${model}` : ""}${dims ? ` · ${dims} dimensions` : ""}`,
    emptyServer: "Nothing to search yet", emptyServerSays: "This server has no collection. Drop a file here, or make a collection on the command line and serve it:",
    emptyServerClosed: "This server has no collection and was started without a folder for new ones. Make a collection on the command line and serve it:",
    emptyCollection: (name) => `${name} is empty`, emptyCollectionSays: "The collection exists but has no documents yet. Add some:",
    drop: "Drop a file: CSV, TSV, JSON, JSON lines, text, Markdown or HTML. It stays on this machine.", choose: "Choose a file", dropHere: "Drop it to search it",
    closed: "This server takes no new collections. Start it with --folder FOLDER, or use imi browse.",
    reading: (name) => `Reading ${name} …`, adding: (name, done, all) => `${name}: ${done.toLocaleString()} of ${all.toLocaleString()} added …`,
    added: (name, n) => `${name} is ready: ${n.toLocaleString()} documents.`, failed: (n, line, reason) => ` ${n.toLocaleString()} rows were left out; the first, ${line}: ${reason}`,
    kinds: (kind) => `Files of the kind ${kind} cannot be read here; imi add on the command line reads many more, PDF among them.`,
    tooBig: (mb) => `The file is larger than ${mb} MB: imi add on the command line has no such limit.`, noRows: "The file holds no text.", notText: "The file is neither UTF-8 nor Shift_JIS text.",
    silent: "The server does not answer. It was stopped or cannot be reached; this page keeps trying and continues by itself.", silentHint: "imi serve starts it again.", back: "The server is back.",
    refused: (why) => `The server refused: ${why}`, forbidden: "This key may not do that.", later: (why) => `The server is busy: ${why}`,
    keyTitle: "This server requires an API key", keySays: "imi keys add NAME makes one. It is sent to this server alone.", keyField: "API key", keep: "Keep it until this tab is closed", use: "Use it", wrongKey: "This key is not known here.",
    words: "Words that matched", noWords: "It contains none of these words; it was found by its meaning.", carried: "Tokens that carry the similarity", cosine: "Cosine",
    carriedSays: (sum, whole) => `The products of all pairs of tokens add up to ${sum}; the model's last layer makes it ${whole}.`, noTokens: "This model does not show its tokens.", own: "The vectors are your own, so there are no tokens to show.", ownMeaning: "The vectors here are your own, and no model turns words into such a vector. Nearest documents and the map work all the same.",
    asRead: "As the model reads it, darker where a token carries more", readPart: (n, all) => `Weights for the first ${n.toLocaleString()} of ${all.toLocaleString()} characters.`,
    close: "Close", nearest: "Nearest documents", facts: "Columns", shownPart: (a, b, all) => `Characters ${a.toLocaleString()} to ${b.toLocaleString()} of ${all.toLocaleString()}`, earlier: "Earlier", further: "Further",
    mapWorking: (share) => `Drawing the map: ${Math.round(100 * share)} % …`, mapSketch: (share) => `A first sketch; the finished map is ${Math.round(100 * share)} % done.`,
    mapFailed: (why) => `The map could not be drawn: ${why}`, mapEmpty: "No document here has a vector, so there is nothing to lay out.", hitsOnMap: (query, n) => `Large points: the ${n} nearest in meaning to “${query}”.`,
  },
  ja: {
    ask: "質問", tasks: "分析", more: "もっと見る", try: "例", examples: "質問の例", stars: (name, n) => `${name}：5つ星のうち${n}`,
    nearness: (n) => `近さ ${n} %`, copies: (n) => `同じ内容 ${n}件`, alsoShort: { text: "文字列でも", meaning: "意味でも", hybrid: "両方" },
    nothingNear: "近いものはありません。", leastFar: "それでも比較的近いものを見る", fartherOn: "ここから下は近くありません",
    noTextFiltered: (n) => `絞り込みに合う${n.toLocaleString()}件に、この言葉を含むものはありません。`, passing: (n, all) => `${all.toLocaleString()}件中${n.toLocaleString()}件が該当`,
    askInvite: "質問すると、文書から答えをまとめます。番号を押すと、根拠の箇所が開きます。",
    answer: "答え", passages: "根拠の箇所", nearestPassages: "最も近い箇所", quoted: "文書からの引用", writtenBy: (llm) => `${llm}が作成し、根拠と照合済み`, openPassage: (n) => `根拠${n}を開く`, doubted: "この箇所には書かれていないようです",
    noAnswer: "答えになる記述はありません。", noAnswerSays: "最も近い箇所を示しますが、質問への答えとしては不十分です。", noPassage: "該当する箇所はありません。",
    taskName: { cluster: "グループ", anomalies: "外れ値", dedupe: "重複", map: "地図" },
    taskSays: { cluster: "文書の話題を、意味の近さでグループに分け、代表的な文とともに示します。", anomalies: "ほかのどれとも似ていない文書と、その理由です。", dedupe: "同じ、またはほぼ同じ内容の文書です。", map: "すべての文書を平面に並べます。意味の近いものは近くに置かれます。" },
    taskRun: { cluster: "グループに分ける", anomalies: "外れ値を探す", dedupe: "重複を探す", map: "地図を開く" }, taskWorking: "計算しています…", group: "グループ", count: (n) => `${n.toLocaleString()}件`,
    clustersSay: (n, silhouette, stability) => `${n}グループ · シルエット係数 ${silhouette.toFixed(2)} · 安定性 ${stability.toFixed(2)}（1なら毎回同じ）`,
    anomaliesSay: (n, all) => `${all.toLocaleString()}件のうち${n.toLocaleString()}件が外れています（外れの大きい順）。`, dedupeSay: (n, extra) => `${n.toLocaleString()}組。${extra.toLocaleString()}件は削除しても内容は残ります（ここでは削除しません）。`, anomaliesNone: "外れている文書はありません。", dedupeNone: "同じ内容の文書はありません。",
    pictureAsked: "検索に使っている画像", pictureDrop: "画像を外す", notAPicture: (name) => `${name}は画像として読めません。`,
    asAWhole: "画像は全体として比べるので、トークンはありません。", noVectorOfWords: "言葉と画像を比べるモデルがありません。", showAll: "全文を表示",
    pair: "並べて比べる", pairHint: "全次元の地図と、スライダーの次元数の地図を並べます", mapAll: (all) => `全${all}次元で描いています。`,
    mapDims: (n, all) => `${all}次元のうち${n}次元で描いています。`, wordOnMap: (word, n) => `大きな点は、本文に「${word}」を含む${n.toLocaleString()}件です。`,
    skip: "質問欄へ移動", collection: "コレクション", search: "検索", map: "地図", views: "表示", modes: "検索のしかた",
    addFile: "ファイルを加える", theme: "明暗を切り替え", other: "English", otherLabel: "Switch to English",
    askLabel: "どの言語でも質問できます", askHint: "どの言語でもどうぞ · cats · 猫 · 🐱",
    filters: "絞り込み", clear: "すべて外す", any: "指定なし", from: "最小", to: "最大", contains: "含む語", yes: "はい", no: "いいえ", remove: (what) => `絞り込み「${what}」を外す`,
    noColumns: "絞り込みに使える項目がありません。", filled: (n, all) => (n < all ? `${all.toLocaleString()}件中${n.toLocaleString()}件にあり` : ""),
    text: "文字列", meaning: "意味", hybrid: "両方",
    textSays: "書かれている言葉で", meaningSays: "意味の近さで", hybridSays: "二つを合わせて",
    also: { text: "文字列でも見つかった", meaning: "意味でも見つかった", hybrid: "両方でも見つかった" },
    why: "なぜ？", read: "読む", whyOf: (id) => `${id}が見つかった理由`, readOf: (id) => `${id}を読む`,
    took: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ミリ秒`, score: "スコア", characters: (n) => `${n.toLocaleString()}文字`,
    noText: "本文はなく、ベクトルだけです。", noHits: { text: "この言葉を含む文書はありません。", meaning: "意味を持つ文書がまだありません。", hybrid: "見つかりませんでした。" },
    noHitsFiltered: "絞り込みを満たす文書がありません。", searching: "検索中…", found: (n) => `意味で${n}件見つかりました`,
    size: "使う次元数", sizeLabel: "比較に使うベクトルの次元数", sizeAll: (n) => `全${n}次元`, sizeSome: (n, all) => `${all}次元のうち${n}次元`,
    sizeSays: (smaller) => `サイズ 1/${smaller}`, same: (n, all) => `${all}件中${n}件がそのまま`, sameHint: "何か尋ねてから動かしてみてください。ベクトルの大半を捨てても、答えはどれだけ残るでしょうか。",
    isNew: "圏外から", ranks: { up: (n) => `${n}つ上へ`, down: (n) => `${n}つ下へ` },
    first: "このコレクションから", holds: (n, model, dims) => `${n.toLocaleString()}件${model ? ` · ${model}` : ""}${dims ? ` · ${dims}次元` : ""}`,
    emptyServer: "検索するものがまだありません", emptyServerSays: "このサーバーにはコレクションがありません。ここにファイルをドロップするか、コマンドで作って起動してください。",
    emptyServerClosed: "このサーバーにはコレクションがなく、新しく作る場所も与えられていません。コマンドで作って起動してください。",
    emptyCollection: (name) => `${name}は空です`, emptyCollectionSays: "コレクションはありますが、文書がまだありません。次のように加えてください。",
    drop: "CSV、TSV、JSON、JSON Lines、テキスト、Markdown、HTMLをドロップしてください。このマシンの外には送られません。", choose: "ファイルを選ぶ", dropHere: "ここにドロップすると検索できます",
    closed: "このサーバーは新しいコレクションを受け付けません。--folder フォルダ を付けて起動するか、imi browse を使ってください。",
    reading: (name) => `${name}を読んでいます…`, adding: (name, done, all) => `${name}：${all.toLocaleString()}件のうち${done.toLocaleString()}件…`,
    added: (name, n) => `${name}の用意ができました（${n.toLocaleString()}件）。`, failed: (n, line, reason) => ` ${n.toLocaleString()}行を除きました。最初は${line}行目：${reason}`,
    kinds: (kind) => `${kind}はここでは読めません。コマンド imi add はPDFなど多くの種類を読めます。`,
    tooBig: (mb) => `ファイルが${mb} MBを超えています。コマンド imi add には制限がありません。`, noRows: "ファイルに文章がありません。", notText: "UTF-8でもShift_JISでもないファイルです。",
    silent: "サーバーが応答しません。停止したか、通信が切れています。戻りしだい続けます。", silentHint: "imi serve で起動できます。", back: "サーバーが戻りました。",
    refused: (why) => `サーバーが拒否しました：${why}`, forbidden: "このAPIキーには権限がありません。", later: (why) => `サーバーが混み合っています：${why}`,
    keyTitle: "このサーバーにはAPIキーが必要です", keySays: "imi keys add 名前 で作れます。このサーバーにだけ送られます。", keyField: "APIキー", keep: "このタブを閉じるまで覚えておく", use: "使う", wrongKey: "このAPIキーは登録されていません。",
    words: "一致した言葉", noWords: "同じ言葉は含まれません。意味で見つかりました。", carried: "近さを担うトークン", cosine: "コサイン類似度",
    carriedSays: (sum, whole) => `トークンの組の積をすべて足すと${sum}、モデルの最後の層を通すと${whole}になります。`, noTokens: "このモデルはトークンを示しません。", own: "独自に用意されたベクトルなので、トークンはありません。", ownMeaning: "独自に用意されたベクトルなので、言葉をベクトルにするモデルがありません。近い文書と地図は使えます。",
    asRead: "モデルの読み方（濃いほど近さを担う）", readPart: (n, all) => `重みは最初の${n.toLocaleString()}文字（全${all.toLocaleString()}文字）で計算しました。`,
    close: "閉じる", nearest: "近い文書", facts: "項目", shownPart: (a, b, all) => `全${all.toLocaleString()}文字の${a.toLocaleString()}〜${b.toLocaleString()}文字目`, earlier: "前へ", further: "続き",
    mapWorking: (share) => `地図を描いています… ${Math.round(100 * share)} %`, mapSketch: (share) => `まず下描きです。仕上がりまで${Math.round(100 * share)} %。`,
    mapFailed: (why) => `地図を描けませんでした：${why}`, mapEmpty: "ベクトルを持つ文書がないので、並べるものがありません。", hitsOnMap: (query, n) => `大きな点は「${query}」に意味が近い${n}件です。`,
  },
};
const HELD = "imi.language";
let language = localStorage.getItem(HELD) || (/^ja\b/i.test(navigator.language) ? "ja" : "en");

/** The language of the page: "ja" or "en". */
export const spoken = () => language;

/** A text of the page in its language; some take values. */
export function t(name, ...values) {
  const said = WORDS[language][name];
  return typeof said === "function" ? said(...values) : said;
}

/** Changes the language and writes all fixed texts anew. */
export function speak(chosen) {
  language = chosen in WORDS ? chosen : "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
}

/** The other language, remembered for the next visit. */
export function switchLanguage() {
  localStorage.setItem(HELD, language === "ja" ? "en" : "ja");
  speak(language === "ja" ? "en" : "ja");
}
