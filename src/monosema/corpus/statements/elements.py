"""Chemical elements and their symbols."""

from monosema.corpus.statements.facts import Facts, listed

_LIST = """
hydrogen: H; helium: He; lithium: Li; beryllium: Be; boron: B; carbon: C; nitrogen: N; oxygen: O; fluorine: F;
neon: Ne; sodium: Na; magnesium: Mg; aluminium: Al; silicon: Si; phosphorus: P; sulfur: S; chlorine: Cl; argon: Ar;
potassium: K; calcium: Ca; titanium: Ti; chromium: Cr; manganese: Mn; iron: Fe; cobalt: Co; nickel: Ni; copper: Cu;
zinc: Zn; arsenic: As; bromine: Br; krypton: Kr; silver: Ag; tin: Sn; iodine: I; xenon: Xe; barium: Ba; tungsten: W;
platinum: Pt; gold: Au; mercury: Hg; lead: Pb; bismuth: Bi; radium: Ra; uranium: U
"""

ELEMENTS = Facts(
    about="symbols of chemical elements",
    rows=listed(_LIST),
    texts=(
        "the symbol of {subject} is {answer}",
        "{answer} is the symbol of {subject}",
        "chemists write {subject} as {answer}",
    ),
)
