"""The words a believable company is made of: people's names by culture, offices, functions, titles. No logic.

Read by `company`, which draws people from them, and by `months`, which renames and moves people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final


@dataclasses.dataclass(frozen=True)
class Culture:
    """Names that go together, each with the Latin letters that make up mail addresses (see `LATIN`)."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Office:
    """One place where people work."""

    name: str
    city: str
    state: str | None
    country: str
    usage_location: str
    postal_code: str
    street: str
    phone_prefix: str
    language: str
    time_zone: str
    culture: str
    company: str
    region: str
    weight: float


@dataclasses.dataclass(frozen=True)
class Function:
    """One branch of the company below the chief executive, with its departments and the trade in job titles."""

    name: str
    departments: tuple[str, ...]
    trade: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


LATIN: Final[Mapping[str, str]] = {
    "Алексей": "aleksei", "Анна": "anna", "Дмитрий": "dmitrii", "Екатерина": "ekaterina", "Иван": "ivan",
    "Мария": "mariia", "Наталья": "natalia", "Сергей": "sergei", "Иванов": "ivanov", "Кузнецов": "kuznetsov",
    "Петренко": "petrenko", "Соколов": "sokolov", "Шевченко": "shevchenko", "Коваленко": "kovalenko",
    "太郎": "taro", "花子": "hanako", "健一": "kenichi", "美咲": "misaki", "翔太": "shota", "陽子": "yoko",
    "佐藤": "sato", "鈴木": "suzuki", "高橋": "takahashi", "田中": "tanaka", "渡辺": "watanabe", "小林": "kobayashi",
    "伟": "wei", "芳": "fang", "秀英": "xiuying", "敏": "min", "静": "jing", "磊": "lei",
    "王": "wang", "李": "li", "张": "zhang", "刘": "liu", "陈": "chen", "欧阳": "ouyang",
    "민준": "minjun", "서연": "seoyeon", "지훈": "jihun", "하은": "haeun",
    "김": "kim", "이": "lee", "박": "park", "최": "choi",
    "Γιώργος": "giorgos", "Ελένη": "eleni", "Νίκος": "nikos", "Παπαδόπουλος": "papadopoulos", "Οικονόμου": "oikonomou",
    "محمد": "mohammed", "فاطمة": "fatima", "أحمد": "ahmed", "العتيبي": "alotaibi", "الحسن": "alhassan",
}  # fmt: skip
"""Latin letters of names in other scripts; accented Latin names lose their accents by rule."""

CULTURES: Final[Mapping[str, Culture]] = {
    "english": Culture(
        _words(
            "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan "
            "Joseph Jessica Thomas Sarah Charles Karen Daniel Nancy Matthew Lisa Anthony Ashley Mark Jean-Luc Mary_Ann"
        ),
        _words(
            "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson Martin Lee Thompson "
            "White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott O'Neill MacDonald O’Brien St._John"
        ),
    ),
    "german": Culture(
        _words("Jürgen Anna Lukas Sophie Matthias Käthe Björn Ursula Jörg Mia Florian Zoë Hans-Peter Renée Günther"),
        _words(
            "Müller Schmidt Schröder Fischer Weiß Köhler Schäfer Koch Bauer Großmann Lange Krüger von_der_Heyde Böhm"
        ),
    ),
    "french": Culture(
        _words("Amélie Luc Chloé François Zoé Rémi Hélène Gaël Noël Inès Jérôme Maëlle Benoît Anaïs Cédric"),
        _words(
            "Martin Bernard Dubois Lefèvre Moreau Garçon Roux Fournier Girard D'Aubigné Le_Goff Bœuf Çelik Gauthier"
        ),
    ),
    "spanish": Culture(
        _words("José María Jesús Lucía Íñigo Begoña Andrés Sofía Raúl Inés Álvaro Concepción Óscar Ana Joaquín"),
        _words("García Rodríguez Muñoz Fernández Peña López Ibáñez Sánchez Núñez Gutiérrez De_la_Fuente Ruiz Ordóñez"),
    ),
    "nordic": Culture(
        _words("Søren Åsa Lars Ingrid Björk Øyvind Maja Elin Jørgen Sigrún Þór Kerttu Äänis Astrid Håkon"),
        _words(
            "Hansen Sørensen Åkesson Lindström Jónsdóttir Bjørnstad Kjær Virtanen Mäkelä Øster Nyström Dahl Ångström"
        ),
    ),
    "slavic": Culture(
        _words(
            "Łukasz Agnieszka Małgorzata Żaneta Jiří Kateřina Dušan Ľubica Алексей Анна Дмитрий Екатерина Иван Мария"
        ),
        _words(
            "Kowalski Wiśniewska Dąbrowski Wójcik Dvořák Novák Šimůnková Иванов Кузнецов Соколов Шевченко Коваленко"
        ),
    ),
    "turkish": Culture(
        _words("Ayşe Mehmet Gülşah İbrahim Çağla Ömer Şule Işıl Doğan Özge"),
        _words("Yılmaz Şahin Öztürk Aydın Çelik Kılıç Güneş İnan Doğru Arslan"),
    ),
    "indian": Culture(
        _words("Aarav Priya Rohan Ananya Vikram Lakshmi Sanjay Deepika Arjun Kavya Harpreet Meera Imran Sunita Ravi"),
        _words("Sharma Patel Singh Reddy Iyer Krishnan Gupta Nair Chatterjee Khan Kulkarni Mehta Das Venkataraman Rao"),
    ),
    "japanese": Culture(_words("太郎 花子 健一 美咲 翔太 陽子"), _words("佐藤 鈴木 高橋 田中 渡辺 小林")),
    "chinese": Culture(_words("伟 芳 秀英 敏 静 磊"), _words("王 李 张 刘 陈 欧阳")),
    "korean": Culture(_words("민준 서연 지훈 하은"), _words("김 이 박 최")),
    "vietnamese": Culture(
        _words("Anh Bình Châu Dũng Hương Khánh Linh Nguyệt Phúc Quỳnh Thảo Việt"),
        _words("Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ"),
    ),
    "greek": Culture(_words("Γιώργος Ελένη Νίκος"), _words("Παπαδόπουλος Οικονόμου")),
    "arabic": Culture(_words("محمد فاطمة أحمد"), _words("العتيبي الحسن")),
}

LONG_NAMES: Final = (
    (
        "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Adolph Charles",
        "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren",
    ),
    ("Uvuvwevwevwe Onyetenyevwe Ugwemuhwem", "Osas-Featherstonehaugh-Cholmondeley-Majoribanks-Marjoribanks"),
    ("Maria do Carmo Aparecida das Neves e Albuquerque", "de Sousa Figueiredo e Vasconcelos da Cunha-Montenegro"),
)
"""Given name and surname near the 64 characters that a directory allows."""

OFFICES: Final = (
    Office("Seattle HQ", "Seattle", "WA", "United States", "US", "98101", "1201 3rd Ave", "+1 206", "en-US",
           "America/Los_Angeles", "english", "Northwind Traders Inc.", "Americas", 14),
    Office("Austin", "Austin", "TX", "United States", "US", "78701", "500 W 2nd St", "+1 512", "en-US",
           "America/Chicago", "english", "Northwind Traders Inc.", "Americas", 8),
    Office("New York", "New York", "NY", "United States", "US", "10001", "5 Penn Plaza", "+1 212", "en-US",
           "America/New_York", "english", "Northwind Traders Inc.", "Americas", 8),
    Office("Calgary", "Calgary", "AB", "Canada", "CA", "T2P 1J9", "639 5 Ave SW", "+1 403", "en-CA",
           "America/Edmonton", "english", "Northwind Canada Ltd.", "Americas", 5),
    Office("Montréal", "Montréal", "QC", "Canada", "CA", "H3B 2E3", "1 Place Ville Marie", "+1 514", "fr-CA",
           "America/Toronto", "french", "Northwind Canada Ltd.", "Americas", 3),
    Office("Ciudad de México", "Ciudad de México", "CDMX", "Mexico", "MX", "06600", "Paseo de la Reforma 222",
           "+52 55", "es-MX", "America/Mexico_City", "spanish", "Northwind México S.A. de C.V.", "Americas", 4),
    Office("London", "London", None, "United Kingdom", "GB", "EC2A 4NE", "1 Finsbury Ave", "+44 20", "en-GB",
           "Europe/London", "english", "Northwind UK Limited", "EMEA", 7),
    Office("München", "München", "Bayern", "Germany", "DE", "80331", "Sendlinger Straße 8", "+49 89", "de-DE",
           "Europe/Berlin", "german", "Northwind Deutschland GmbH", "EMEA", 6),
    Office("Paris", "Paris", "Île-de-France", "France", "FR", "75008", "12 Rue de l'Élysée", "+33 1", "fr-FR",
           "Europe/Paris", "french", "Northwind France S.A.S.", "EMEA", 5),
    Office("Madrid", "Madrid", None, "Spain", "ES", "28046", "Paseo de la Castellana 95", "+34 91", "es-ES",
           "Europe/Madrid", "spanish", "Northwind España S.L.", "EMEA", 3),
    Office("Stockholm", "Stockholm", None, "Sweden", "SE", "111 57", "Mäster Samuelsgatan 42", "+46 8", "sv-SE",
           "Europe/Stockholm", "nordic", "Northwind Nordic AB", "EMEA", 3),
    Office("Kraków", "Kraków", None, "Poland", "PL", "31-009", "Szewska 4", "+48 12", "pl-PL",
           "Europe/Warsaw", "slavic", "Northwind Polska Sp. z o.o.", "EMEA", 5),
    Office("İstanbul", "İstanbul", None, "Türkiye", "TR", "34394", "Büyükdere Cd. 201", "+90 212", "tr-TR",
           "Europe/Istanbul", "turkish", "Northwind Türkiye A.Ş.", "EMEA", 2),
    Office("Athens", "Αθήνα", None, "Greece", "GR", "105 57", "Ερμού 2", "+30 21", "el-GR",
           "Europe/Athens", "greek", "Northwind Hellas A.E.", "EMEA", 1),
    Office("Riyadh", "الرياض", None, "Saudi Arabia", "SA", "12214", "King Fahd Rd", "+966 11", "ar-SA",
           "Asia/Riyadh", "arabic", "Northwind Arabia LLC", "EMEA", 1),
    Office("Bengaluru", "Bengaluru", "Karnataka", "India", "IN", "560103", "Outer Ring Rd", "+91 80", "en-IN",
           "Asia/Kolkata", "indian", "Northwind India Pvt. Ltd.", "APAC", 12),
    Office("Tokyo", "東京", "東京都", "Japan", "JP", "100-0005", "丸の内1-9-2", "+81 3", "ja-JP",
           "Asia/Tokyo", "japanese", "Northwind Japan 株式会社", "APAC", 4),
    Office("Shanghai", "上海", None, "China", "CN", "200120", "世纪大道100号", "+86 21", "zh-CN",
           "Asia/Shanghai", "chinese", "Northwind (Shanghai) Co., Ltd.", "APAC", 3),
    Office("Seoul", "서울", None, "Korea", "KR", "04524", "세종대로 110", "+82 2", "ko-KR",
           "Asia/Seoul", "korean", "Northwind Korea Ltd.", "APAC", 2),
    Office("Hà Nội", "Hà Nội", None, "Vietnam", "VN", "100000", "54 Liễu Giai", "+84 24", "vi-VN",
           "Asia/Ho_Chi_Minh", "vietnamese", "Northwind Vietnam Co., Ltd.", "APAC", 2),
    Office("Sydney", "Sydney", "NSW", "Australia", "AU", "2000", "1 Macquarie Pl", "+61 2", "en-AU",
           "Australia/Sydney", "english", "Northwind Australia Pty Ltd", "APAC", 3),
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        "Engineering", ("Platform Engineering", "Product Engineering", "Quality & Test", "Data Science"), "Engineer"
    ),
    Function("Sales", ("Field Sales", "Inside Sales", "Sales Operations", "Partnerships"), "Account Manager"),
    Function("Professional Services", ("Consulting", "Implementation", "Project Delivery", "Training"), "Consultant"),
    Function("Customer Support", ("Support Tier 1", "Support Tier 2", "Customer Success"), "Support Specialist"),
    Function("Operations", ("Logistics", "Manufacturing", "Procurement", "Facilities"), "Operations Analyst"),
    Function("Finance", ("Accounting", "Treasury", "Payroll", "Audit, Risk & Tax"), "Financial Analyst"),
    Function("People & Culture", ("Talent", "HR Operations", "Learning"), "HR Partner"),
    Function("IT", ("Infrastructure", "Business Applications", "Security", "Service Desk"), "Systems Administrator"),
    Function("Marketing", ("Brand", "Demand Generation", "Communications"), "Marketing Specialist"),
    Function("Legal", ("Contracts", "Compliance"), "Counsel"),
)

EXECUTIVE_DEPARTMENT: Final = "Executive Office"

GRADES: Final = ("Junior {}", "{}", "Senior {}", "Staff {}", "Principal {}")
"""Titles of people who lead nobody, by seniority."""

LEADERS: Final = (
    "Chief Executive Officer",
    "Chief {} Officer",
    "VP, {}",
    "Director, {}",
    "Manager, {}",
    "Team Lead, {}",
)
"""Titles of people who lead others, by their distance from the top; the last one serves all the levels below."""

PARTNERS: Final = ("fabrikam.com", "adatum.com", "tailspintoys.com", "wingtip.co.uk", "müller-beratung.de")
"""Mail domains of guests."""
