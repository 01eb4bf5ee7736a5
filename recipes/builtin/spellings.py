"""English words that a vocabulary splits badly: British spellings and irregular forms, each beside a plainer word.

Too few texts hold them for a unigram vocabulary to keep them whole, and `spoil` + `t` is not what "spoilt" means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.builtin.corpus import Corpus

_RELATED = """
spoilt:spoiled learnt:learned burnt:burned dreamt:dreamed spelt:spelled smelt:smelled leapt:leaped leant:leaned
spilt:spilled knelt:kneeled wept:cried crept:crawled swept:brushed slept:sleep strove:tried woven:weave wove:weave
stank:stink shrank:shrink shrunk:shrink sprang:jumped sprung:spring swam:swim swum:swim rang:ring rung:ring
drank:drink drunk:drink sank:sink sunk:sink sang:sing sung:sing began:begin begun:begin bled:bleed bred:breed fed:feed
fled:escaped slid:slide bit:bite bitten:bite hid:hide hidden:hide rode:ride ridden:ride wrote:write written:write
rose:rise risen:rise shook:shake shaken:shake stole:steal stolen:steal froze:freeze frozen:freeze spoke:speak
spoken:speak broke:break broken:break woke:wake woken:wake chose:choose chosen:choose tore:tear torn:tear wore:wear
worn:wear swore:swear sworn:swear bore:carry borne:carried drew:draw drawn:draw grew:grow grown:grow threw:throw
thrown:throw blew:blow blown:blow flew:fly flown:fly knew:know known:know showed:show shown:show sewn:sew mown:mow
sown:sow stuck:stick struck:hit strung:string swung:swing clung:cling flung:throw stung:sting wrung:wring hung:hang
dug:dig spun:spin won:win shone:shine shot:shoot lit:light met:meet led:lead bought:buy brought:bring thought:think
fought:fight sought:search caught:catch taught:teach felt:feel dealt:deal meant:mean kept:keep lent:lend sent:send
bent:bend spent:spend built:build lost:lose sold:sell told:tell paid:pay laid:lay said:say forgot:forget
forgotten:forget forgave:forgive forbade:forbid forbidden:forbid overcame:overcome withdrew:withdraw
understood:understand mistook:mistake undertook:undertake arisen:arise arose:arise awoke:awake bitten:bite beaten:beat
eaten:eat fallen:fall given:give proven:prove swollen:swell trodden:tread striven:strive slain:kill slew:killed
bade:bid dwelt:lived queue:line storey:story crisps:chips biscuit:cookie cheque:check cheques:checks draught:draft
pavement:sidewalk mice:mouse geese:goose oxen:ox teeth:tooth feet:foot lice:louse knives:knife wives:wife lives:life
leaves:leaf loaves:loaf wolves:wolf calves:calf shelves:shelf thieves:thief halves:half scarves:scarf hooves:hoof
"""
_BRITISH = """
colour:color flavour:flavor favour:favor favourite:favorite behaviour:behavior honour:honor humour:humor rumour:rumor
odour:odor labour:labor harbour:harbor neighbour:neighbor neighbourhood:neighborhood vapour:vapor armour:armor
parlour:parlor savour:savor savoury:savory splendour:splendor tumour:tumor vigour:vigor endeavour:endeavor
candour:candor clamour:clamor glamour:glamor rigour:rigor valour:valor saviour:savior demeanour:demeanor
colourful:colorful flavourful:flavorful flavoured:flavored flavourless:flavorless honourable:honorable
coloured:colored favourable:favorable organise:organize organised:organized organisation:organization realise:realize
realised:realized recognise:recognize recognised:recognized apologise:apologize apologised:apologized analyse:analyze
analysed:analyzed paralyse:paralyze paralysed:paralyzed catalyse:catalyze criticise:criticize criticised:criticized
emphasise:emphasize emphasised:emphasized specialise:specialize specialised:specialized summarise:summarize
summarised:summarized memorise:memorize minimise:minimize maximise:maximize optimise:optimize optimised:optimized
customise:customize customised:customized categorise:categorize categorised:categorized prioritise:prioritize
utilise:utilize utilised:utilized visualise:visualize visualised:visualized normalise:normalize normalised:normalized
initialise:initialize initialised:initialized serialise:serialize serialised:serialized synchronise:synchronize
tokenise:tokenize capitalise:capitalize generalise:generalize authorise:authorize authorised:authorized
finalise:finalize finalised:finalized fertiliser:fertilizer sterilise:sterilize sterilised:sterilized
pasteurised:pasteurized caramelised:caramelized centre:center theatre:theater metre:meter litre:liter fibre:fiber
sombre:somber calibre:caliber spectre:specter lustre:luster meagre:meager sabre:saber kilometre:kilometer
centimetre:centimeter millimetre:millimeter millilitre:milliliter kilometres:kilometers metres:meters litres:liters
fibres:fibers grey:gray greyish:grayish travelled:traveled travelling:traveling traveller:traveler
travellers:travelers cancelled:canceled cancelling:canceling labelled:labeled labelling:labeling modelled:modeled
modelling:modeling fuelled:fueled levelled:leveled signalled:signaled tunnelled:tunneled marvellous:marvelous
jewellery:jewelry jeweller:jeweler woollen:woolen counsellor:counselor quarrelled:quarreled fulfil:fulfill
fulfils:fulfills fulfilment:fulfillment skilful:skillful skilfully:skillfully wilful:willful enrol:enroll
enrolment:enrollment instalment:installment instil:instill distil:distill defence:defense offence:offense
licence:license pretence:pretense practise:practice catalogue:catalog dialogue:dialog analogue:analog
programme:program programmes:programs tyre:tire tyres:tires kerb:curb plough:plow mould:mold mouldy:moldy moult:molt
smoulder:smolder sceptical:skeptical sceptic:skeptic gaol:jail pyjamas:pajamas aluminium:aluminum aeroplane:airplane
aeroplanes:airplanes moustache:mustache omelette:omelet doughnut:donut doughnuts:donuts yoghurt:yogurt whisky:whiskey
ageing:aging judgement:judgment acknowledgement:acknowledgment cosy:cozy tonne:ton tonnes:tons sulphur:sulfur
sulphate:sulfate paediatric:pediatric paediatrician:pediatrician anaemia:anemia anaemic:anemic oesophagus:esophagus
diarrhoea:diarrhea foetus:fetus foetal:fetal haemoglobin:hemoglobin haemorrhage:hemorrhage leukaemia:leukemia
oestrogen:estrogen anaesthetic:anesthetic anaesthesia:anesthesia orthopaedic:orthopedic gynaecologist:gynecologist
manoeuvre:maneuver encyclopaedia:encyclopedia archaeology:archeology archaeologist:archeologist mediaeval:medieval
aesthetic:esthetic mum:mom mummy:mommy nappy:diaper nappies:diapers petrol:gasoline lorry:truck lorries:trucks
aubergine:eggplant courgette:zucchini coriander:cilantro sweets:candy rubbish:garbage dustbin:trash tap:faucet
torch:flashlight holiday:vacation whilst:while amongst:among towards:toward
"""


def variants() -> dict[str, str]:
    """Return each badly split word with a word that means the same and is read well."""
    pairs = (pair.partition(":") for pair in (_RELATED + _BRITISH).split())
    return {variant: plain for variant, _, plain in pairs}


def add_variants(corpus: Corpus, *, sentences: int = 6) -> None:
    """Pair each variant with its plainer word, and put it in place of that word in some sentences of the corpus.

    Args:
        corpus: the texts read so far; the new ones are named after what `corpus.reading` says.
        sentences: at most this many a variant.
    """
    plainer = variants()
    for variant, plain in plainer.items():
        number, other = corpus.add(variant, "en"), corpus.add(plain, "en")
        corpus.pair("dictionary", number, other)
        if plain not in _NOT_THE_SAME:
            corpus.stand_in(number, [other])
    for at, text in list(_placed(corpus, {plain: variant for variant, plain in plainer.items()}, sentences)):
        number = corpus.add(text, "en")
        corpus.stand_in(number, [at])
        corpus.pair("paraphrase", number, at)


# A past form is not quite its infinitive, nor a cheque any check: such words are pairs but no stand-ins, and replace
# nothing. Two past forms of one verb (spoilt, spoiled) are the same word.
_NOT_THE_SAME = frozenset(pair.split(":")[1] for pair in _RELATED.split() if not pair.split(":")[1].endswith("ed"))


def _placed(corpus: Corpus, variant_of: dict[str, str], limit: int) -> Iterator[tuple[int, str]]:
    """Yield (number of a sentence, the sentence with the variant in place of the plainer word)."""
    words = [plain for plain in variant_of if plain not in _NOT_THE_SAME and len(plain) > 4]
    pattern = re.compile(rf"\b(?:{'|'.join(sorted(words, key=len, reverse=True))})\b")
    found: dict[str, int] = {}
    for at, (text, language) in enumerate(zip(list(corpus.texts), list(corpus.languages), strict=True)):
        if language != "en" or not 20 < len(text) < 200:
            continue
        match = pattern.search(text)
        if match and found.get(match[0], 0) < limit:
            found[match[0]] = found.get(match[0], 0) + 1
            yield at, f"{text[: match.start()]}{variant_of[match[0]]}{text[match.end() :]}"
