"""The paper's figures: tables that agree with one another, and names that the rest of the project knows."""

from experiments.paper import paper_tables
from experiments.paper.paper_tables import DATASETS, TABLES, VARIANTS, VOT
from experiments.scoring import scorer
from mlt_tf import config


def test_both_tables_print_the_same_of_mlt():
    shared = [name for name in DATASETS if name in TABLES["1"].rows]
    assert shared == ["OTB-2015", "OTB-2013", "LaSOT I", "LaSOT II"]
    for name in shared:
        assert TABLES["1"].figures[name, "MLT"] == TABLES["2"].figures["MLT", name]


def test_blanks_of_table_1():
    blanks = [
        (row, column)
        for row in TABLES["1"].rows
        for column in TABLES["1"].columns
        if (row, column) not in TABLES["1"].figures
    ]
    assert blanks == [("OTB-2015", "DSiam"), ("LaSOT I", "HDT"), ("LaSOT II", "HDT")]
    assert len(TABLES["1"].columns) == 13 and any("12 values for 13 columns" in note for note in TABLES["1"].notes)


def test_some_figures_as_printed():
    assert TABLES["1"].figures["OTB-2013", "BACF"] == 0.678
    assert TABLES["1"].figures["LaSOT II", "DSST"] == 0.207
    assert TABLES["1"].figures["FPS", "HDT"] == 10
    assert TABLES["2"].figures["MLT-mt+ft", "VOT-2016 unsupervised"] == 0.411
    assert len(TABLES["2"].figures) == 24


def test_names_are_known():
    assert set(DATASETS.values()) <= set(scorer.DATASETS)
    assert tuple(VARIANTS.values()) == config.VARIANTS
    assert tuple(VARIANTS) == TABLES["2"].rows
    assert (*DATASETS, *VOT) == TABLES["2"].columns


def test_folders_of_raw_results():
    assert paper_tables.raw_folders("SiamFC", "LaSOT I")[0] == "SiamFC-3s"
    assert paper_tables.raw_folders("CFNet", "OTB-2015")[0] == "CFNet-conv5"
    assert paper_tables.raw_folders("CFNet", "OTB-2013")[0] == "CFNet-conv2"
    assert paper_tables.raw_folders("CFNet", "LaSOT I") == ("CFNet",)
    assert paper_tables.raw_folders("DSST", "OTB-2015") == ("DSST",)
