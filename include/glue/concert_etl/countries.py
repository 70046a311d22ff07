"""Countries as ISO 3166-1 alpha-2 codes, whatever a source calls them: a venue is the same one in every source."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
""".split()  # noqa: SIM905  a list literal is four times as long
# Names, in lower case, without signs and without a leading "the"; a country that is not here keeps its name.
NAMES = {
    "AE": "united arab emirates|uae|are",
    "AR": "argentina|arg",
    "AT": "austria|aut|österreich",
    "AU": "australia|aus",
    "BE": "belgium|bel",
    "BG": "bulgaria|bgr",
    "BH": "bahrain|bhr",
    "BO": "bolivia|bol",
    "BR": "brazil|bra|brasil",
    "BS": "bahamas|bhs",
    "CA": "canada|can",
    "CH": "switzerland|che|schweiz",
    "CL": "chile|chl",
    "CN": "china|chn|people s republic of china|mainland china",
    "CO": "colombia|col",
    "CR": "costa rica|cri",
    "CY": "cyprus|cyp",
    "CZ": "czech republic|czechia|cze",
    "DE": "germany|deu|deutschland",
    "DK": "denmark|dnk",
    "DO": "dominican republic|dom",
    "EC": "ecuador|ecu",
    "EE": "estonia|est",
    "EG": "egypt|egy",
    "ES": "spain|esp|españa",
    "FI": "finland|fin",
    "FR": "france|fra",
    "GB": "united kingdom|gbr|uk|u k|great britain|britain|england|scotland|wales|northern ireland"
    "|united kingdom of great britain and northern ireland",
    "GR": "greece|grc",
    "GT": "guatemala|gtm",
    "HK": "hong kong|hkg|hong kong sar|hong kong sar china",
    "HR": "croatia|hrv",
    "HU": "hungary|hun",
    "ID": "indonesia|idn",
    "IE": "ireland|irl|republic of ireland",
    "IL": "israel|isr",
    "IN": "india|ind",
    "IS": "iceland|isl",
    "IT": "italy|ita|italia",
    "JM": "jamaica|jam",
    "JP": "japan|jpn",
    "KE": "kenya|ken",
    "KR": "south korea|kor|korea south|republic of korea|korea republic of",
    "LT": "lithuania|ltu",
    "LU": "luxembourg|lux",
    "LV": "latvia|lva",
    "MA": "morocco|mar",
    "MC": "monaco|mco",
    "MO": "macau|macao|mac",
    "MT": "malta|mlt",
    "MX": "mexico|mex|méxico",
    "MY": "malaysia|mys",
    "NG": "nigeria|nga",
    "NL": "netherlands|nld|holland",
    "NO": "norway|nor",
    "NZ": "new zealand|nzl",
    "PA": "panama|pan",
    "PE": "peru|per",
    "PH": "philippines|phl",
    "PL": "poland|pol",
    "PR": "puerto rico|pri",
    "PT": "portugal|prt",
    "PY": "paraguay|pry",
    "QA": "qatar|qat",
    "RO": "romania|rou",
    "RS": "serbia|srb",
    "RU": "russia|rus|russian federation",
    "SA": "saudi arabia|sau",
    "SE": "sweden|swe",
    "SG": "singapore|sgp",
    "SI": "slovenia|svn",
    "SK": "slovakia|svk",
    "TH": "thailand|tha",
    "TR": "turkey|tur|türkiye",
    "TW": "taiwan|twn",
    "UA": "ukraine|ukr",
    "US": "united states|usa|united states of america|u s a|u s|america",
    "UY": "uruguay|ury",
    "VE": "venezuela|ven",
    "VN": "vietnam|viet nam|vnm",
    "ZA": "south africa|zaf",
}
SPELLINGS = {code.lower(): code for code in CODES} | {
    name: code for code, names in NAMES.items() for name in names.split("|")
}


def country_code(country: Column) -> Column:
    """The code of a country; a name that is not known stays as it is."""
    words = F.trim(F.regexp_replace(F.lower(country), r"[^\p{L}\p{M}\p{N}]+", " "))
    name = F.regexp_replace(words, "^the ", "")
    codes = F.create_map(*(F.lit(text) for pair in SPELLINGS.items() for text in pair))
    return F.coalesce(F.try_element_at(codes, name), country)
