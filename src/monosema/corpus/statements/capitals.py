"""Countries and their capitals."""

from monosema.corpus.statements.facts import Facts, listed

_LIST = """
Argentina: Buenos Aires; Armenia: Yerevan; Austria: Vienna; Bangladesh: Dhaka; Belgium: Brussels; Bulgaria: Sofia;
Canada: Ottawa; Chad: N'Djamena; China: Beijing; Colombia: Bogota; Croatia: Zagreb; Cuba: Havana;
Denmark: Copenhagen; Egypt: Cairo; Estonia: Tallinn; Ethiopia: Addis Ababa; Finland: Helsinki; France: Paris;
Georgia: Tbilisi; Germany: Berlin; Ghana: Accra; Greece: Athens; Hungary: Budapest; Iceland: Reykjavik;
India: New Delhi; Iran: Tehran; Iraq: Baghdad; Ireland: Dublin; Italy: Rome; Jamaica: Kingston; Japan: Tokyo;
Jordan: Amman; Kenya: Nairobi; Latvia: Riga; Lebanon: Beirut; Libya: Tripoli; Lithuania: Vilnius; Mali: Bamako;
Mongolia: Ulaanbaatar; Morocco: Rabat; Mozambique: Maputo; Nepal: Kathmandu; Norway: Oslo; Pakistan: Islamabad;
Peru: Lima; Poland: Warsaw; Portugal: Lisbon; Romania: Bucharest; Russia: Moscow; Senegal: Dakar; Serbia: Belgrade;
Slovakia: Bratislava; Slovenia: Ljubljana; Somalia: Mogadishu; Spain: Madrid; Sudan: Khartoum; Sweden: Stockholm;
Syria: Damascus; Thailand: Bangkok; Tunisia: Tunis; Turkey: Ankara; Uganda: Kampala; Ukraine: Kyiv;
Uruguay: Montevideo; Venezuela: Caracas; Vietnam: Hanoi; Zambia: Lusaka; Zimbabwe: Harare
"""

CAPITALS = Facts(
    about="capitals of countries",
    rows=listed(_LIST),
    texts=(
        "the capital of {subject} is {answer}",
        "{answer} is the capital of {subject}",
        "the capital city of {subject} is {answer}",
    ),
)
