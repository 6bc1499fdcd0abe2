"""What the plates of the United States look like: grounds, inks, names, mottoes and arrangements, old and new.

Written from what the plates are. In a pattern A is a letter and # a digit; a sign between stands for what separates
the groups: space, - dash, . dot, * sticker, ^ the state's own drawing, / nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Design:
    """One issue of a state.

    Attributes:
        patterns: Arrangements of characters with their separators.
        ground: Names of colours (training/plates/canvas.py) from top to bottom.
        ink: Colours that its characters may have.
        style: How the name is set: caps, title, serif, script.
        name_colour: Of the name.
        name_at: top or bottom.
        motto: What stands at the other side.
        motto_colour: Of the motto.
        top: Colour of a band along the top, or empty.
        bottom: The same along the foot.
        hills: Colour of mountains along the foot, or empty.
        drawing: What ^ stands for.
        text: The name as it is written, where it differs from the state's.
        share: How often, beside the state's other designs.
    """

    patterns: tuple[str, ...]
    ground: tuple[str, ...]
    ink: tuple[str, ...]
    style: str = "caps"
    name_colour: str = "navy"
    name_at: str = "top"
    motto: tuple[str, ...] = ()
    motto_colour: str = "navy"
    top: str = ""
    bottom: str = ""
    hills: str = ""
    drawing: str = "blob"
    text: str = ""
    share: float = 1.0


@dataclass(frozen=True)
class State:
    """A state: its name, how often it is drawn, its designs."""

    name: str
    weight: float
    designs: tuple[Design, ...]


def _d(patterns: str, ground: str, ink: str, **more: object) -> Design:
    for key in ("motto",):
        if isinstance(more.get(key), str):
            more[key] = tuple(str(more[key]).split("|"))
    return Design(tuple(patterns.split("|")), tuple(ground.split()), tuple(ink.split()), **more)  # type: ignore[arg-type]


US_STATES: dict[str, State] = {
    "AL": State("Alabama", 2, (
        _d("##A####|#A####A|##AA###|#A###AA", "white sky white", "navy black", style="script", name_colour="red", motto="Heart of Dixie|Sweet Home Alabama", motto_colour="navy"),
        _d("##A####|#A####A|##AA###", "sky white lime", "navy black", style="script", name_colour="navy", name_at="bottom", motto="God Bless America|Sweet Home", hills="green"),
        _d("#A####A|##AA###", "white", "red maroon", style="caps", name_colour="red", motto="Heart of Dixie"),
    )),
    "AK": State("Alaska", 1.2, (
        _d("AAA ###|AAA^###", "gold", "navy", name_colour="navy", motto="The Last Frontier", drawing="star"),
        _d("AAA ###", "white sky", "navy red", style="title", motto="Celebrating Statehood|The Last Frontier"),
    )),
    "AZ": State("Arizona", 3, (
        _d("AAA####|###/AAA|AAA###", "teal sky peach purple", "green navy teal", name_colour="white", motto="GRAND CANYON STATE", motto_colour="white", hills="purple"),
        _d("AAA####|AAA-###|###-AAA", "maroon", "white", name_colour="white", motto="GRAND CANYON STATE", motto_colour="white"),
    )),
    "AR": State("Arkansas", 1.3, (
        _d("### AAA|###^AAA|AAA ##A", "white sky", "black navy red", style="title", name_colour="red", motto="The Natural State", motto_colour="navy", drawing="diamond"),
        _d("### AAA|AAA###", "white", "navy red", style="serif", name_colour="navy", motto="The Natural State", drawing="diamond"),
    )),
    "CA": State("California", 9, (
        _d("#AAA###|#AAA###|#AAA###|#A#####|##A####", "white", "navy", style="script", name_colour="red", motto="dmv.ca.gov|||", motto_colour="navy", share=5),
        _d("#AAA###|AAA###|AAA ###", "white", "navy", style="caps", name_colour="red", share=1),
        _d("#AAA###|AAA ###", "navy", "gold yellow", style="caps", name_colour="gold", share=.7),
        _d("AAA ###|#AAA###", "black", "gold", style="caps", name_colour="gold", share=.6),
        _d("#A#####|##A####|#####A#", "white", "navy", style="script", name_colour="red", motto="dmv.ca.gov", share=.8),
    )),
    "CO": State("Colorado", 2, (
        _d("###-AAA|###^AAA|AAA-###|AAA ###", "green white", "green", name_colour="white", top="green", hills="white", style="caps", name_at="bottom"),
        _d("###-AAA|AAA-###|AA-####", "white green", "white", name_colour="white", name_at="bottom", hills="green"),
        _d("AAA-A##|###-AAA", "green", "white", name_colour="white", name_at="bottom", hills="green"),
    )),
    "CT": State("Connecticut", 1.4, (
        _d("###.AAA|###-AAA|#AA.A##|AA.#####", "sky white", "navy", style="title", name_colour="navy", motto="Constitution State"),
        _d("###-AAA|AAA-###", "navy", "white", style="title", name_colour="white", motto="Constitution State", motto_colour="white"),
    )),
    "DE": State("Delaware", 1.3, (
        _d("######|#####|PC######|C#####", "navy", "gold", name_colour="gold", name_at="bottom", motto="THE FIRST STATE", motto_colour="gold"),
        _d("######|#####|####", "black navy", "white", name_colour="white", name_at="bottom", motto="THE FIRST STATE", motto_colour="white", share=.4),
    )),
    "DC": State("Washington DC", 1.6, (
        _d("AA^####|AA ####", "white", "navy blue", style="caps", name_colour="navy", text="WASHINGTON, DC", motto="TAXATION WITHOUT REPRESENTATION", motto_colour="navy", top="", drawing="star"),
        _d("AA^####", "white sky white", "navy", style="caps", name_colour="red", text="WASHINGTON, D.C.", motto="TAXATION WITHOUT REPRESENTATION|CELEBRATE & DISCOVER", drawing="star"),
    )),
    "FL": State("Florida", 5, (
        _d("A##^AAA|###^AAA|AAA^A##|AAAA##|AAA^###|A##^#AA", "white", "green", style="caps", name_colour="green", motto="SUNSHINE STATE|IN GOD WE TRUST|Orange", motto_colour="green", text="MYFLORIDA.COM", share=2),
        _d("A##^AAA|###^AAA|AAA^A##|AAA^###", "white", "green", style="caps", name_colour="green", motto="SUNSHINE STATE|", motto_colour="green", share=2),
        _d("AAA ##A|AAA###", "white", "green red", style="title", name_colour="orange", motto="Sunshine State", motto_colour="green"),
    )),
    "GA": State("Georgia", 3, (
        _d("AAA####|AAA ####", "white peach white", "black navy", style="script", name_colour="black", motto="FULTON|COBB|DEKALB|GWINNETT|IN GOD WE TRUST", motto_colour="black"),
        _d("###^AAA|AAA ####|AAA####", "white peach", "black navy", style="caps", name_colour="navy", motto="www.georgia.gov|CHATHAM|BIBB|HALL", motto_colour="black"),
        _d("### AAA", "white", "black", style="title", name_colour="red", motto="on my mind|CLAYTON|HENRY"),
    )),
    "HI": State("Hawaii", 1.2, (
        _d("AAA ###|AAA###|AAA.###", "white", "black", name_colour="black", motto="ALOHA STATE", motto_colour="black"),
        _d("AAA ###", "sky white pink yellow white", "black", name_colour="black", motto="ALOHA STATE", motto_colour="black"),
    )),
    "ID": State("Idaho", 1.4, (
        _d("#A ####A|#A #####|##A ####|A ######|#A #A###", "red pink white sky", "navy black", style="caps", name_colour="navy", motto="Famous Potatoes", motto_colour="navy", hills="blue", text="Scenic IDAHO"),
        _d("#A #####|A ######|##A ###", "pink white sky", "navy", style="caps", name_colour="red", motto="Famous Potatoes", hills="blue"),
    )),
    "IL": State("Illinois", 4, (
        _d("### ####|A## ####|AA #####|AAA ###|A######|#######", "white sky white", "red", style="script", name_colour="navy", motto="Land of Lincoln", motto_colour="navy"),
        _d("### ####|A## ####|AA #####|AA#####", "white", "red navy", style="caps", name_colour="navy", motto="Land of Lincoln", motto_colour="navy"),
        _d("AA ## ###|AA #####", "white sky", "red maroon", style="serif", name_colour="navy", motto="Land of Lincoln"),
    )),
    "IN": State("Indiana", 2, (
        _d("###AA|### AAA|###AAA|###A|### A", "blue sky white", "navy white", name_colour="white", motto="In God We Trust|www.in.gov", motto_colour="navy", top="navy"),
        _d("### AAA|###AAA|##A####|##AA###", "navy blue sky", "white", name_colour="white", name_at="bottom", motto="In God We Trust|", motto_colour="white"),
        _d("### AAA|##A####", "white yellow white", "navy blue", style="caps", name_colour="navy", motto="The Crossroads of America|Hoosier State|1816 Bicentennial 2016", hills="lime"),
    )),
    "IA": State("Iowa", 1.3, (
        _d("### AAA|###AAA|AAA ###", "sky white", "navy black", name_colour="navy", motto="POLK|LINN|SCOTT|JOHNSON|STORY|BLACK HAWK", motto_colour="navy", hills="sky", name_at="top"),
        _d("### AAA|AAA###", "white", "black navy", style="title", name_colour="navy", motto="POLK|DUBUQUE|COUNTY NAME", motto_colour="black"),
    )),
    "KS": State("Kansas", 1.3, (
        _d("### AAA|###^AAA|###AAA", "sky white sky", "navy", name_colour="navy", motto="|to the stars|JO|SG", drawing="blob"),
        _d("AAA ###|### AAA", "white yellow", "navy green", style="title", name_colour="navy", motto="Midway USA"),
    )),
    "KY": State("Kentucky", 1.3, (
        _d("###^AAA|### AAA|AAA ###", "white sky white", "navy blue", style="title", name_colour="navy", motto="Unbridled Spirit|JEFFERSON|FAYETTE|Bluegrass State", motto_colour="green"),
        _d("### AAA|###-AAA", "sky white lime", "navy black", style="caps", name_colour="navy", motto="IN GOD WE TRUST|BOONE|KENTON"),
    )),
    "LA": State("Louisiana", 1.8, (
        _d("AAA ###|AAA^###|### AAA", "white", "navy black", style="script", name_colour="red", motto="Sportsman's Paradise", motto_colour="navy", drawing="blob"),
        _d("AAA ###|A######|AAA###", "white yellow", "navy", style="caps", name_colour="red", motto="SPORTSMAN'S PARADISE|Bicentennial", motto_colour="navy"),
        _d("AAA ###|A######", "sky white", "navy black", style="script", name_colour="navy", motto="Sportsman's Paradise", motto_colour="green"),
    )),
    "ME": State("Maine", 1.4, (
        _d("####AA|#### AA|###AAA|###-AAA", "white", "black navy", style="title", name_colour="green", motto="Vacationland", motto_colour="green"),
        _d("####-AA|##### A|###-AAA", "white", "navy red", style="caps", name_colour="navy", motto="Vacationland"),
    )),
    "MD": State("Maryland", 2.2, (
        _d("AAA^###|#AA####|#AA ####|AAA ###", "white", "black", style="title", name_colour="black", motto="|www.maryland.gov", drawing="shield", share=2),
        _d("#AA####|#AA ####|#AA##-##", "white sky", "black navy", style="caps", name_colour="navy", motto="www.maryland.gov|War of 1812", bottom="red", motto_colour="black"),
        _d("AAA^###|#AA####", "white lime", "black green", style="script", name_colour="green", motto="Treasure the Chesapeake", motto_colour="navy", drawing="shield"),
    )),
    "MA": State("Massachusetts", 2.2, (
        _d("###/AA#|####AA|#AA A##|#AAA ##|### AAA|##AA##|###-AAA", "white", "red", style="title", name_colour="navy", motto="The Spirit of America", motto_colour="navy"),
        _d("###-AAA|### AAA", "white", "green", style="caps", name_colour="green", motto="", share=.5),
    )),
    "MI": State("Michigan", 3, (
        _d("AAA ####|AAA####|#AAA##|#AA A##", "white", "navy", name_colour="white", top="blue", motto="www.michigan.gov|PURE MICHIGAN|Great Lakes", motto_colour="navy", share=2),
        _d("AAA ###|### AAA|AAA###", "blue navy", "white", style="title", name_colour="white", motto="GREAT LAKES", motto_colour="white"),
        _d("AAA ####|AAA####", "peach sky white teal", "navy", style="script", name_colour="navy", motto="Spectacular Peninsulas|Mackinac Bridge"),
    )),
    "MN": State("Minnesota", 2, (
        _d("###-AAA|AAA-###|### AAA|AAA ###", "sky white", "navy black", style="title", name_colour="white", top="blue", motto="10,000 lakes|Explore Minnesota", motto_colour="navy", hills="green"),
        _d("###-AAA|AAA-###", "white sky", "navy", style="caps", name_colour="navy", motto="10,000 Lakes|Critical habitat", motto_colour="navy"),
    )),
    "MS": State("Mississippi", 1.3, (
        _d("AAA ###|AA# ###|AAA^###", "white sky", "navy green", style="title", name_colour="navy", motto="HINDS|DESOTO|RANKIN|Hospitality State", motto_colour="navy"),
        _d("AAA ###|###^AAA", "cream white", "navy black", style="caps", name_colour="navy", motto="IN GOD WE TRUST|HARRISON", drawing="blob"),
    )),
    "MO": State("Missouri", 2.2, (
        _d("AA#*A#A|###*AAA|AA#^A#A|#AA*###", "white sky white", "navy blue", style="caps", name_colour="navy", motto="SHOW-ME STATE", motto_colour="navy"),
        _d("###-AAA|AAA-###|###*AAA", "teal white", "navy green", style="caps", name_colour="teal", motto="SHOW-ME STATE|Bicentennial", motto_colour="teal"),
    )),
    "MT": State("Montana", 1.2, (
        _d("######A|#-#####A|## ####A|AAA ###|###AAA", "blue sky", "white navy", style="caps", name_colour="white", name_at="bottom", motto="Treasure State|", motto_colour="white"),
        _d("#-#####A|##-####A", "navy", "white", name_colour="white", name_at="bottom", motto="TREASURE STATE", motto_colour="white", hills="blue"),
        _d("#-#####A|######A", "white sky peach", "navy black", style="title", name_colour="navy", motto="Big Sky Country|Treasure State", hills="blue"),
    )),
    "NE": State("Nebraska", 1.2, (
        _d("AAA ###|#-A####|##-A###|#-####", "sky white yellow", "black navy red", style="title", name_colour="navy", motto="www.nebraska.gov|The Good Life|1867"),
        _d("AAA ###|##-A###", "white", "red navy black", style="caps", name_colour="red", motto="www.visitnebraska.com|Cornhusker State"),
    )),
    "NV": State("Nevada", 1.6, (
        _d("###^AAA|### AAA|##A/###|###-AAA", "sky peach yellow", "navy blue", name_colour="navy", motto="THE SILVER STATE|Home Means Nevada", motto_colour="navy", hills="purple"),
        _d("###AAA|### AAA", "silver white", "navy", style="caps", name_colour="navy", motto="THE SILVER STATE|", hills="sky"),
        _d("###-AAA|AAA###", "blue", "white silver", style="title", name_colour="white", motto="The Silver State", motto_colour="white"),
    )),
    "NH": State("New Hampshire", 1.4, (
        _d("### ####|###-####|#######|######|AAA-###", "white lime white", "green", style="title", name_colour="green", motto="LIVE FREE OR DIE", motto_colour="green", name_at="bottom"),
        _d("### ####|AAA-###|######", "white", "green", style="caps", name_colour="green", motto="LIVE FREE OR DIE", motto_colour="green"),
    )),
    "NJ": State("New Jersey", 3, (
        _d("AAA^##A|A##^AAA|AAA-##A|AA^###A|AAA ###|A##AAA", "yellow cream white", "black", style="title", name_colour="black", motto="Garden State", motto_colour="black", drawing="blob", share=2),
        _d("AAA-##A|AA-###A", "navy blue", "yellow cream", style="caps", name_colour="yellow", motto="GARDEN STATE", motto_colour="yellow", share=.5),
    )),
    "NM": State("New Mexico", 1.3, (
        _d("###^AAA|AAA^###|### AAA", "yellow", "red", style="title", name_colour="red", text="New Mexico USA", motto="Land of Enchantment", motto_colour="red", drawing="star"),
        _d("###AAA|AAA###|### AAA", "teal", "yellow", style="caps", name_colour="yellow", motto="Land of Enchantment|Centennial", motto_colour="yellow"),
    )),
    "NY": State("New York", 5, (
        _d("AAA ####|AAA-####|AAA####|AAA^####", "gold yellow", "navy", name_colour="gold", top="navy", motto="EMPIRE STATE", motto_colour="navy", bottom="", drawing="blob", share=2.2),
        _d("AAA ####|AAA^####|### AAA", "white", "navy", name_colour="white", top="blue", motto="EMPIRE STATE", motto_colour="white", bottom="blue", drawing="blob", share=1.2),
        _d("###^AAA|AAA^###|#AA ###", "white", "navy", style="caps", name_colour="red", motto="", drawing="blob", share=.4),
        _d("AAA####|AAA-####", "white sky", "navy", name_colour="navy", motto="EXCELSIOR", motto_colour="navy", hills="sky", share=.5),
    )),
    "NC": State("North Carolina", 3, (
        _d("AAA-####|AAA ####|AAA####|A##-####", "sky white white", "navy blue", style="caps", name_colour="navy", name_at="bottom", motto="First in Flight", motto_colour="red", share=2),
        _d("AAA-####|AAA-###", "white", "red", style="caps", name_colour="navy", name_at="bottom", motto="First in Flight|First in Freedom|IN GOD WE TRUST", motto_colour="navy"),
    )),
    "ND": State("North Dakota", 1.2, (
        _d("AAA ###|###AAA|AAA^###", "sky white yellow", "black navy", style="title", name_colour="navy", motto="Peace Garden State|Discover the Spirit", motto_colour="navy", hills="tan"),
        _d("### AAA|AAA###", "sky peach", "navy black", style="caps", name_colour="navy", motto="LEGENDARY|Peace Garden State", hills="brown"),
    )),
    "OH": State("Ohio", 4, (
        _d("AAA ####|AA##AA|AA## AA|AAA####", "white", "navy red", style="title", name_colour="red", motto="Birthplace of Aviation|Beautiful Ohio", motto_colour="navy"),
        _d("AAA ####|AA## AA", "sky white", "navy", style="caps", name_colour="navy", motto="Birthplace of Aviation|Bicentennial", motto_colour="navy", hills="lime"),
        _d("AAA ####|AAA ###", "white peach", "navy", style="caps", name_colour="white", top="red", motto="The Heart of It All|Sunrise in Ohio", motto_colour="navy"),
    )),
    "OK": State("Oklahoma", 1.6, (
        _d("###^AAA|### AAA|AAA ###|AAA^###", "white sky peach", "green navy black", style="title", name_colour="red", motto="NATIVE AMERICA|Explore Oklahoma", motto_colour="green", drawing="shield"),
        _d("AAA^###|### AAA|AAA ###", "white", "green", style="caps", name_colour="green", motto="OK!|NATIVE AMERICA|IS OK", motto_colour="green", drawing="shield"),
    )),
    "OR": State("Oregon", 1.6, (
        _d("###^AAA|###/AAA|AAA ###", "sky white lime", "navy blue", style="title", name_colour="navy", motto="Pacific Wonderland|", drawing="blob", hills="purple"),
        _d("### AAA|AAA###|###^AAA", "peach sky", "navy", style="title", name_colour="navy", motto="", drawing="blob", hills="teal"),
    )),
    "PA": State("Pennsylvania", 4, (
        _d("AAA ####|AAA-####|AAA^####", "white", "navy", name_colour="white", top="blue", motto="visitPA.com|www.state.pa.us", motto_colour="navy", bottom="yellow", drawing="shield", share=2.4),
        _d("AAA ####|AAA^####|AAA ###", "blue", "yellow gold", style="caps", name_colour="yellow", name_at="bottom", motto="KEYSTONE STATE|You've got a friend in", motto_colour="yellow", drawing="shield", share=.6),
    )),
    "RI": State("Rhode Island", 1.3, (
        _d("AA-###|### ###|AA ###|#####|######|AA#-##", "white sky", "navy black", style="title", name_colour="navy", motto="Ocean State", motto_colour="navy"),
        _d("### ###|AA-###|######", "white", "navy", style="serif", name_colour="black", motto="Ocean State", motto_colour="navy", hills="sky"),
    )),
    "SC": State("South Carolina", 1.7, (
        _d("###^AAA|### AAA|AAA^###|AAA###", "sky white peach", "navy black", style="title", name_colour="navy", motto="Smiling Faces. Beautiful Places.|TRAVELSC.COM", motto_colour="navy", drawing="blob"),
        _d("AAA ###|AAA^###|###AAA", "white sky", "navy black", style="caps", name_colour="navy", motto="While I Breathe, I Hope|IN GOD WE TRUST", drawing="blob"),
    )),
    "SD": State("South Dakota", 1.2, (
        _d("#AA ###|##A ###|#A####|##AA##|#A ###", "sky white peach", "navy black red", style="caps", name_colour="red", motto="GREAT FACES. GREAT PLACES.", motto_colour="navy"),
        _d("#AA###|##A ###", "white sky", "navy", style="serif", name_colour="navy", motto="Great Faces. Great Places.|Mount Rushmore State"),
    )),
    "TN": State("Tennessee", 2, (
        _d("###-AAA|### AAA|A##-##A|AAA ###", "white lime green", "navy black", style="title", name_colour="navy", motto="The Volunteer State|tnvacation.com", motto_colour="white", hills="green"),
        _d("###/AAA|### AAA|AAA###", "sky white", "navy", style="caps", name_colour="navy", motto="Volunteer State|Sounds Good to Me", motto_colour="navy"),
        _d("AA# ###|AAA ####", "navy", "white", style="caps", name_colour="white", motto="The Volunteer State|IN GOD WE TRUST", motto_colour="white", share=.6),
    )),
    "TX": State("Texas", 7, (
        _d("AAA.####|AAA^####|AAA-####|AAA####", "white", "black", style="caps", name_colour="black", motto="The Lone Star State", motto_colour="black", drawing="star", share=2),
        _d("AA#^A###|AAA^###|A##^AAA|###^AAA|AA#.A###|##A.AA#", "sky white white sky", "black navy", style="caps", name_colour="red", motto="The Lone Star State|", motto_colour="red", drawing="star", top="", hills="navy", share=1.2),
        _d("A##^AAA|###^AAA|AAA^##A|##A-AA#", "white", "navy blue", style="caps", name_colour="red", motto="The Lone Star State", motto_colour="red", drawing="blob", share=1.2),
        _d("AAA ###|AA#^A###", "red white sky", "black", style="caps", name_colour="white", top="navy", motto="|", drawing="star", share=.6),
    )),
    "UT": State("Utah", 1.6, (
        _d("A## #AA|### AAA|A###AA|AAA ###|A## AAA", "sky white orange", "black navy", style="caps", name_colour="navy", text="UTAH!", motto="Greatest Snow on Earth|Life Elevated", motto_colour="navy", drawing="blob"),
        _d("A## #AA|### AAA|A###AA", "peach orange white", "navy black", style="caps", name_colour="maroon", motto="LIFE ELEVATED|Arches|CENTENNIAL 1896 1996", motto_colour="navy", hills="orange"),
    )),
    "VT": State("Vermont", 1.3, (
        _d("AAA ###|AAA###|### A###", "green", "white", style="title", name_colour="white", motto="Green Mountain State", motto_colour="white", name_at="bottom"),
        _d("AAA ###|AAA###", "green", "white", style="title", name_colour="white", motto="Green Mountain State", motto_colour="white"),
    )),
    "VA": State("Virginia", 3, (
        _d("AAA-####|AAA ####|AAA-###|AAA####", "white", "navy", name_colour="navy", motto="||400th Anniversary|VIRGINIA IS FOR LOVERS", motto_colour="red", share=2),
        _d("AAA-####|AA-####|##-###A", "sky white lime", "navy black", name_colour="navy", style="caps", name_at="bottom", motto="|Wildlife Conservationist|Protect pollinators", share=.8),
    )),
    "WA": State("Washington", 2, (
        _d("###-AAA|###/AAA|AAA####|AAA ####|### AAA", "white sky white", "navy", style="caps", name_colour="red", motto="EVERGREEN STATE", motto_colour="navy", hills="sky"),
        _d("AAA####|AAA ####|###-AAA", "white sky", "navy", style="caps", name_colour="navy", motto="Evergreen State", motto_colour="navy", hills="sky"),
    )),
    "WV": State("West Virginia", 1.3, (
        _d("#AA ###|#A# ###|##A ###|AAA ###|#AA###", "white", "navy", name_colour="navy", top="gold", style="title", motto="Wild, Wonderful", motto_colour="gold", bottom="navy"),
        _d("#AA ###|A##-###", "white gold", "navy blue", style="caps", name_colour="navy", motto="Wild, Wonderful|Almost Heaven"),
    )),
    "WI": State("Wisconsin", 2, (
        _d("###-AAA|AAA-####|###AAA|AAA####|AAA-###", "white", "black red", style="caps", name_colour="red", motto="America's Dairyland", motto_colour="black", hills="lime"),
        _d("AAA-###|###-AAA", "white yellow", "red black", style="title", name_colour="red", motto="America's Dairyland", motto_colour="red"),
    )),
    "WY": State("Wyoming", 1.2, (
        _d("#^####A|##^####|#^#####|#^###AA|#-#####|##-###A", "sky white peach", "brown navy black", style="caps", name_colour="brown", name_at="bottom", motto="|Devils Tower|Green River", hills="sky", drawing="blob"),
        _d("#^####|##^####A|#-####A", "blue white", "navy", style="title", name_colour="navy", name_at="bottom", motto="|", drawing="blob", hills="purple"),
    )),
}  # fmt: skip
