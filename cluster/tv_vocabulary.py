"""Words of TradingView's list of trades in the languages it is exported in.

Words only help: the columns are found by what they hold, and a list whose words are not here is
read by its structure (an entry is not later than its exit; a long one gains when the price rises).
Every word is matched as a part of the lower-case cell, so stems cover the cases of a language. A
cell that matches both sides of a pair says nothing and the structure decides.
"""

# ruff: noqa: RUF001 (letters of other alphabets that resemble Latin ones are meant)

# English, Russian, Ukrainian, German, French, Spanish and Portuguese, Italian, Polish, Turkish,
# Japanese, Korean, Chinese, Arabic, Persian, Hebrew, Vietnamese, Thai, Indonesian and Malay,
# Swedish, Greek, Hungarian, Czech, Dutch.
ENTRY_WORDS = (
    *("entry", "enter", "вход", "вхід", "einstieg", "eröffnung", "entrée", "entree", "ouverture"),
    *(
        "entrada",
        "entrata",
        "ingresso",
        "apertura",
        "wejści",
        "giriş",
        "エントリー",
        "新規",
        "進入",
    ),
    *("진입", "进场", "进入", "入场", "开仓", "開倉", "進場", "入場", "دخول", "ورود", "כניס"),
    *("vào", "เข้า", "masuk", "entri", "ingång", "είσοδος", "belép", "vstup", "instap"),
)
EXIT_WORDS = (
    *("exit", "close", "выход", "вихід", "ausstieg", "ausgang", "schließ", "sortie", "clôture"),
    *("salida", "saída", "saida", "uscita", "chiusura", "wyjści", "çıkış", "エグジット", "決済"),
    *("手仕舞", "청산", "出场", "离场", "平仓", "平倉", "退出", "出場", "離場", "خروج", "יציא"),
    *("thoát", "đóng", "ออก", "keluar", "utgång", "έξοδος", "kilép", "výstup", "uitstap"),
)
LONG_WORDS = (
    *("long", "buy", "длинн", "лонг", "покупк", "довг", "kauf", "longue", "achat", "acheteu"),
    *("largo", "larga", "compra", "lunga", "lungo", "acquisto", "rialz", "dług", "uzun", "alış"),
    *(
        "ロング",
        "買",
        "롱",
        "매수",
        "多头",
        "做多",
        "多單",
        "多頭",
        "多仓",
        "买",
        "طويل",
        "شراء",
        "خرید",
    ),
    *("לונג", "ארוכ", "קני", "mua", "ซื้อ", "ลอง", "beli", "panjang", "lång", "köp", "hosszú"),
)
SHORT_WORDS = (
    *("short", "sell", "коротк", "шорт", "продаж", "verkauf", "courte", "vente", "vendeu"),
    *("corto", "corta", "venta", "venda", "vendid", "vendita", "ribass", "curto", "curta", "krótk"),
    *(
        "kısa",
        "satış",
        "ショート",
        "売",
        "숏",
        "매도",
        "空头",
        "做空",
        "空單",
        "空頭",
        "空仓",
        "卖",
    ),
    *("賣", "قصير", "بيع", "فروش", "שורט", "קצר", "מכיר", "bán", "ขาย", "ชอร์ต", "jual"),
    *("pendek", "kort", "sälj", "rövid", "krátk"),
)
# The exit signal of a position still open at the last bar; empty in some exports.
OPEN_WORDS = (
    *("", "open", "открыт", "открыта", "открыто", "відкрито", "offen", "ouvert", "ouverte"),
    *("abierta", "abierto", "aberta", "aberto", "aperta", "aperto", "otwarta", "otwarty", "açık"),
    *(
        "オープン",
        "未決済",
        "오픈",
        "미청산",
        "未平仓",
        "未平倉",
        "开仓",
        "مفتوح",
        "פתוח",
        "פתוחה",
        "mở",
    ),
    *("เปิด", "buka", "terbuka", "öppen", "nyitott", "ανοικτή"),
)
CUMULATIVE_WORDS = (
    *("cumul", "cum.", "cum ", "совокуп", "накоп", "кумул", "сукуп", "kumul", "kumulier"),
    *("acumul", "skumul", "łączn", "kümülatif", "birikimli", "累", "누적", "تراكم", "تجمعی"),
    *("מצטבר", "lũy kế", "luỹ kế", "tích lũy", "สะสม", "ackumul", "σωρευτ", "halmoz", "gesamt"),
)
PERCENT_SIGNS = ("%", "٪", "％")

# A table with one row a trade, as this project's own reports and many notebooks write it.
FLAT_COLUMNS: dict[str, tuple[str, ...]] = {
    "number": ("trade", "number", "trade_number", "trade_id", "#", "trade #"),
    "side": ("side", "direction"),
    "entry_time": ("entry_time_utc", "entry_time", "entry_time_ms"),
    "entry_price": ("entry_price",),
    "entry_name": ("entry_signal", "entry_name"),
    "exit_time": ("exit_time_utc", "exit_time", "exit_time_ms"),
    "exit_price": ("exit_price",),
    "exit_name": ("exit_signal", "exit_reason", "exit_name"),
    "qty": ("qty", "quantity", "size"),
    "position_value": ("position_value",),
    "pnl": ("net_pnl", "net_pnl_usd", "net_pnl_quote", "pnl", "pnl_quote"),
    "pnl_pct": ("net_pnl_pct", "pnl_pct"),
    "mfe": ("favorable_excursion", "favorable_usd", "mfe_quote", "mfe"),
    "mfe_pct": ("favorable_pct", "favorable_excursion_pct", "mfe_pct"),
    "mae": ("adverse_excursion", "adverse_usd", "mae_quote", "mae"),
    "mae_pct": ("adverse_pct", "adverse_excursion_pct", "mae_pct"),
    "cumulative": ("cumulative_pnl", "cumulative_pnl_usd", "cumulative_pnl_quote"),
    "cumulative_pct": ("cumulative_pct", "cumulative_pnl_pct"),
}

# Cities whose summer time differs, nearest to TradingView's users and exchanges first; fixed
# offsets are tried besides.
ZONES = (
    *("UTC", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver"),
    *("America/Toronto", "America/Vancouver", "America/Phoenix", "America/Sao_Paulo"),
    *(
        "America/Argentina/Buenos_Aires",
        "America/Bogota",
        "America/Santiago",
        "America/Mexico_City",
    ),
    *("Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Helsinki", "Europe/Istanbul"),
    *("Europe/Moscow", "Europe/Lisbon", "Africa/Cairo", "Africa/Johannesburg", "Asia/Jerusalem"),
    *("Asia/Riyadh", "Asia/Tehran", "Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka"),
    *("Asia/Bangkok", "Asia/Ho_Chi_Minh", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo"),
    *("Asia/Seoul", "Australia/Perth", "Australia/Adelaide", "Australia/Sydney"),
    *("Pacific/Auckland", "Pacific/Honolulu", "America/Caracas", "America/Anchorage"),
)
