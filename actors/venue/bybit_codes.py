"""Bybit's return codes as tables: which kind of refusal each one is.

Theory. A code is looked up by itself, then in the ranges of the products that are not traded here
(whole families of loans, transfers, earn and the like, which none of our calls can cause), and one
that is in neither is `RefusedUnnamed`. Codes that stand for an order whose outcome is not known
(a timeout, a server error) are `VenueUnreachable`, as a broken connection is. What is refused of
one contract or product only, for the account's region or missing terms, is of the symbol: it must
not halt the rest of the account.
Source: Bybit v5, "Error Codes" and "Rate Limit Rules"; the numbers are the venue's.
"""

from actors.venue.faults import (
    AccountRefused,
    AddressBanned,
    AddressLimited,
    ClockWrong,
    FundsShort,
    KeysRefused,
    LimitReached,
    ModeRefused,
    NothingChanged,
    OrderDuplicate,
    OrderFinal,
    OrderRefused,
    OrderUnknown,
    PermissionRefused,
    ProductRefused,
    RateLimited,
    ReduceOnly,
    RefusedUnnamed,
    RegionRefused,
    RequestRefused,
    SymbolRefused,
    VenueFault,
    VenueUnreachable,
)

CODES: dict[type[VenueFault], str] = {
    VenueUnreachable: """10000 10016 10019 40004 110079 110114 170001 170007 170032 170035 170146
        170147 170149 170150 170191 170212 170234 170310 170311 3400214 500001""",
    AddressLimited: "10018",
    RateLimited: "429 10006 10429 20003 30035 170005 170222",
    ClockWrong: "-1 -1021 10002",
    KeysRefused: "-2015 33004 10003 10004 10007 10010",
    PermissionRefused: "10005",
    RegionRefused: "10009 10024",
    AccountRefused: """10008 10027 10028 100028 110018 110066 110067 110068 110069 110071 110088
        110097 110102 110110 110112 110123 110124 170031 170036 170219 170224
        170226 170230 170241 110111 3100181 3100197 500010 500011""",
    SymbolRefused: """10029 110070 110074 110063 110050 30133 30134 170121 170151 170157 170221
        170037 170344 170346 170360 170709 181012 110106 3100326 110125 110132 110136 170209 170348
        170358 170359""",
    RequestRefused: """10001 10017 10404 20006 110019 110032 110037 110031 110049 110062 110065
        34040 170105 170115 170116 170117 170130 170201 170227 181000 181001 181002 181003
        181004 181005 181006 181007 181008 181009 181010 181011 181013 181014 181017 181018
        181019 182000 182200 182201 182202 182203 182204 182205""",
    OrderUnknown: "110001 170143 170213",
    OrderFinal: "110008 110010 110035 170139 170142 170144 170145 170190 170312",
    OrderDuplicate: "10014 110072 110030 170141",
    OrderRefused: """30208 30209 110003 110017 110022 110041 110057 110059 110060 110064
        110092 110093 110094 110095 110098 110099 110100 110103 110108 110109 110115 110116 110117
        110118 110119 110120 110121 110046 110011 110040 170010 170011 170019 170132 170133 170134
        170371 170372 170381 170382 170136 170137 170140 170148 170159 170192 170193 170194 170195
        170196 170197 170198 170199 170200 170202 170203 170204 170206 170210 170217 170218 170228
        170229 170124 170313 170341 170355""",
    FundsShort: """110004 110006 110007 110012 110014 110044 110045 110047 110051 110052 110053
        110058 110033 170033 170034 170131 170207 30256 110131""",
    LimitReached: """30135 30136 110009 110013 110016 110020 110021 110039 110048 110061 110080
        110085 110086 110087 110089 110090 110104 110105 110107 170215 170216 170220 170223 170810
        3200316 3200317 3200320 3200641 3400139""",
    ReduceOnly: "30228 110023 110042 110082 110083 110137",
    ModeRefused: """110005 110015 110024 110028 110029 110034 110036 110038 110054 110055 110056
        110073 110076 110077 110078 110096 110101 110113 110135 3200403 3200419 3200425 3400208
        3400209 3400210 3400211 3400212 3400213 3400052 3400053 3400054 3400071 3401010""",
    NothingChanged: "110025 110026 110027 110043 110075",
}
# Families of products that none of our calls belongs to, first and last code of each.
PRODUCTS = (
    (20096, 20096),  # user
    (60061, 61010),  # strategies of the venue itself
    (81007, 81007),  # user
    (110300, 110323),  # requests for quotes
    (111008, 111008),
    (131001, 141027),  # transfers, deposits, withdrawals, subaccounts
    (148001, 148048),  # crypto loans
    (176002, 177021),  # spot margin loans, crypto loans (legacy)
    (180000, 180031),  # earn, predictions
    (182011, 182112),  # collateral
    (60200, 60201),
    (400000, 409011),  # conversion, rewards
    (500000, 500000),
    (700000, 700022),  # conversion
    (790000, 790001),
    (3500002, 3500415),  # brokers, institutions
    (3777002, 3777043),  # institutional loans
    (34022001, 35000011),  # manual loans
)
HTTP_STATUSES: dict[int, type[VenueFault]] = {
    400: RequestRefused,
    401: KeysRefused,
    403: AddressBanned,
    404: RequestRefused,
    429: RateLimited,
}


def _by_code() -> dict[str, type[VenueFault]]:
    found: dict[str, type[VenueFault]] = {}
    for kind, codes in CODES.items():
        for code in codes.split():
            assert code not in found, f"code {code} has two kinds"
            found[code] = kind
    return found


BY_CODE = _by_code()


def kind_of_code(code: str) -> type[VenueFault]:
    """Return which refusal a return code is."""
    if code in BY_CODE:
        return BY_CODE[code]
    if code.isascii() and code.isdecimal():
        number = int(code)
        if any(first <= number <= last for first, last in PRODUCTS):
            return ProductRefused
    return RefusedUnnamed


def kind_of_status(status: int) -> type[VenueFault] | None:
    """Return which refusal an HTTP status is by itself; None: the reply's text decides."""
    if status in HTTP_STATUSES:
        return HTTP_STATUSES[status]
    return VenueUnreachable if status >= 500 else None
