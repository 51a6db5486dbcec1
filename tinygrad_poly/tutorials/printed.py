"""Printed figures: what the tutorials printed, digit by digit.

Python drops zeros at the end of a rounded number (`round(0.00158, 6)`); where a program rounded, they
are put back here, so that the last digit of a text is the last digit that was computed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """The figures that one program printed.

    Attributes:
        every_100th: the lines printed on the way: a step, the loss at its weights, and, in some
            programs, the weights that the step led to.
        weights: the weights at the end.
        start: the weights at the start, where they were printed.
        predictions: the model's values at the end, for the first x.
        within: how far, relatively, a figure may be off beyond half a unit of its last digit.
        noise: how far a weight may be off besides, where some are 0 but for roundings.
    """

    every_100th: tuple[tuple[str, ...], ...]
    weights: tuple[str, ...]
    start: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    within: float = 0.0
    noise: float = 0.0


def half_a_unit(text: str) -> float:
    """Half a unit of the last digit of a decimal number: the most that rounding has moved it.

    >>> half_a_unit("3.14")
    0.005
    >>> half_a_unit("42")
    0.5
    """
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def _losses(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple((str(step), loss) for step, loss in zip(range(99, 2000, 100), text.split(), strict=True))


def _table(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in text.strip().splitlines())


# What thousands of steps of rounding leave of a number that was printed with all its digits. In another
# order of additions, or in another precision, the same program prints figures that differ by this much.
FLOAT64 = 1e-12
FLOAT32 = 5e-5

PRINTED = {
    # Sixteen digits, the last few of which depend on the order in which 2000 numbers were added.
    "T1": Printed(
        _losses("""
            2932.532119601867  1986.2864742160687 1347.670787848512  916.2497464753031  624.507163867261
            427.0171040012009  293.1890901809671  202.40413715516607 140.75122545565745 98.83587481223249
            70.30741339504765  50.86839866003989  37.60775364294483  28.551422427313526 22.359310296823786
            18.120688477379243 15.215935548177704 13.223012236658677 11.854130591726099 10.912823991835229
        """),
        weights=("-0.03865737475457288", "0.8299095808833444", "0.006669040406656332", "-0.08951387564269557"),
        within=FLOAT64,
    ),
    # Float32 numbers, printed with the digits of the float64 of the same value: about seven are real.
    "T2": Printed(
        _losses("""
            918.99267578125    643.1675415039062  451.278076171875   317.66790771484375 224.56072998046875
            159.6270751953125  114.3072280883789  82.65354919433594  60.52942657470703  45.05559539794922
            34.22602081298828  26.642215728759766 21.328210830688477 17.60262107849121  14.989233016967773
            13.155094146728516 11.867243766784668 10.962565422058105 10.326764106750488 9.879744529724121
        """),
        weights=("0.03316112980246544", "0.8479872345924377", "-0.005720846820622683", "-0.09208526462316513"),
        within=FLOAT32,
    ),
    "T3": Printed(
        _losses("""
            76.56168365478516  56.52638244628906  42.42686080932617  32.50070571899414  25.510486602783203
            20.58633804321289  17.116626739501953 14.671102523803711 12.94703197479248  11.731285095214844
            10.873804092407227 10.268880844116211 9.842055320739746  9.540827751159668  9.328204154968262
            9.178104400634766  9.072122573852539  8.99728012084961   8.944422721862793  8.907085418701172
        """),
        weights=("-0.009929759427905083", "0.8553959131240845", "0.0017130509950220585", "-0.09313908219337463"),
        within=FLOAT32,
    ),
    **dict.fromkeys(("T4", "T5", "T6", "T7"), Printed((), ())),
    "T8": Printed(
        _table("""
              0  102.904395  1.070070  0.681684
            100    0.107595  2.825976  0.745032
            200    0.051788  2.879267  0.516883
            300    0.024926  2.916239  0.358599
            400    0.011998  2.941889  0.248786
            500    0.005775  2.959684  0.172601
            600    0.002779  2.972030  0.119746
            700    0.001338  2.980595  0.083076
            800    0.000644  2.986537  0.057636
            900    0.000310  2.990660  0.039986
        """),
        weights=("2.993496", "0.027843"),
        predictions=("3.02133943", "6.01483589", "9.00833234", "12.00182879", "14.99532524", "17.98882169"),
    ),
    # Float32 numbers again: the eighth digit of W is finer than float32 itself.
    "T9": Printed(
        _table("""
               0  52.476868  1.5300145  0.8875664
             100   0.127115  2.8108475  0.8097996
             200   0.061183  2.8687713  0.5618165
             300   0.029449  2.9089572  0.3897727
             400   0.014174  2.9368370  0.2704135
             500   0.006822  2.9561794  0.1876054
             600   0.003284  2.9695985  0.1301552
             700   0.001580  2.9789081  0.0902980
             800   0.000761  2.9853673  0.0626462
             900   0.000366  2.9898481  0.0434624
            1000   0.000176  2.9929569  0.0301530
        """),
        weights=("2.992957", "0.030153"),
        predictions=("3.0231", "6.0161", "9.0090", "12.0020", "14.9949", "17.9879"),
        within=FLOAT32,
    ),
    # The text breaks off after four predictions.
    "T10": Printed(
        _table("""
               0  103.398170  1.1604834  0.2713251
             100    0.041226  2.8922796  0.4611719
             200    0.019843  2.9252665  0.3199482
             300    0.009551  2.9481521  0.2219715
             400    0.004597  2.9640293  0.1539977
             500    0.002213  2.9750445  0.1068392
             600    0.001065  2.9826868  0.0741222
             700    0.000513  2.9879885  0.0514237
             800    0.000247  2.9916668  0.0356764
             900    0.000119  2.9942186  0.0247512
            1000    0.000057  2.9959891  0.0171719
        """),
        start=("0.3685", "0.0889"),
        weights=("2.995989", "0.017172"),
        predictions=("3.0132", "6.0092", "9.0051", "12.0011"),
        within=FLOAT32,
    ),
    # Its start is known; sin is odd, so that a and c are 0 but for what float32 rounds.
    "T11": Printed(
        _losses("""
            209.95834350585938 144.66018676757812 100.70249938964844 71.03519439697266  50.97850799560547
            37.403133392333984 28.206867218017578 21.973188400268555 17.7457275390625   14.877889633178711
            12.931766510009766 11.610918045043945 10.714258193969727 10.10548210144043  9.692106246948242
            9.411375045776367  9.220745086669922  9.091285705566406  9.003361701965332  8.943639755249023
        """),
        weights=("-5.423830273798558e-09", "-2.208526849746704", "1.3320399228078372e-09", "0.2554861009120941"),
        within=FLOAT32,
        noise=1e-6,
    ),
    "T12": Printed(
        _losses("""
            982.2666015625     653.8624267578125  436.30999755859375 292.17388916015625 196.6658935546875
            133.37106323242188 91.41831970214844  63.606956481933594 45.16706085205078  32.938541412353516
            24.827646255493164 19.44669532775879  15.876077651977539 13.506179809570312 11.932876586914062
            10.888101577758789 10.194124221801758 9.73302173614502   9.426568031311035  9.222803115844727
        """),
        weights=("-0.006762427743524313", "0.8381737470626831", "0.0011666310019791126", "-0.09068938344717026"),
        within=FLOAT32,
    ),
    **dict.fromkeys(("T13", "T14", "T15"), Printed((), ())),
}
"""By the programs' names. T4 and T5 showed pictures, T6 and T7 were given without their output. What T13 and T15
printed came from random numbers that cannot be recovered, because their steps cannot be undone; T14's is not known."""
