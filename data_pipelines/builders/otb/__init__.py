"""OTB-2013 and OTB-2015 as a TFDS data set."""
