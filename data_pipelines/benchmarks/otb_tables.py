"""The targets of OTB and what makes each hard, by the benchmark's eleven attributes.

IV illumination variation, OPR out-of-plane rotation, SV scale variation, OCC occlusion, DEF deformation, MB motion
blur, FM fast motion, IPR in-plane rotation, OV out of view, BC background clutter, LR low resolution.
"""

# Human4-2 has none here: no source at hand lists them.
_ATTRIBUTES_OF_TARGETS = """
Basketball IV OPR OCC DEF BC
Biker OPR SV OCC MB FM OV LR
Bird1 DEF FM OV
Bird2 OPR OCC DEF FM IPR
BlurBody SV DEF MB FM IPR
BlurCar1 MB FM
BlurCar2 SV MB FM
BlurCar3 MB FM
BlurCar4 MB FM
BlurFace MB FM IPR
BlurOwl SV MB FM IPR
Board OPR SV MB FM OV BC
Bolt OPR OCC DEF IPR
Bolt2 DEF BC
Box IV OPR SV OCC MB IPR OV BC
Boy OPR SV MB FM IPR
Car1 IV SV BC LR
Car2 IV BC
Car24 IV SV BC
Car4 IV SV
CarDark IV BC
CarScale OPR SV OCC FM IPR
ClifBar SV OCC MB FM IPR OV BC
Coke IV OPR OCC FM IPR
Couple OPR SV DEF FM BC
Coupon OCC BC
Crossing SV DEF BC
Crowds IV DEF BC
Dancer OPR SV DEF IPR
Dancer2 DEF
David IV OPR SV OCC DEF MB IPR
David2 OPR IPR
David3 OPR OCC DEF BC
Deer MB FM IPR BC LR
Diving SV DEF IPR
Dog OPR SV DEF
Dog1 OPR SV IPR
Doll IV OPR SV OCC IPR
DragonBaby OPR SV OCC MB FM IPR OV
Dudek OPR SV OCC DEF FM IPR OV BC
FaceOcc1 OCC
FaceOcc2 IV OPR OCC IPR
Fish IV
FleetFace OPR SV DEF MB FM IPR
Football OPR OCC IPR BC
Football1 OPR IPR BC
Freeman1 OPR SV IPR
Freeman3 OPR SV IPR
Freeman4 OPR SV OCC IPR
Girl OPR SV OCC IPR
Girl2 OPR SV OCC DEF MB
Gym OPR SV DEF IPR
Human2 IV OPR SV MB
Human3 OPR SV OCC DEF BC
Human4-2
Human5 SV OCC DEF
Human6 OPR SV OCC DEF FM OV
Human7 IV SV OCC DEF MB FM
Human8 IV SV DEF
Human9 IV SV DEF MB FM
Ironman IV OPR SV OCC MB FM IPR OV BC LR
Jogging-1 OPR OCC DEF
Jogging-2 OPR OCC DEF
Jump OPR SV OCC DEF MB IPR
Jumping MB FM
KiteSurf IV OPR OCC IPR
Lemming IV OPR SV OCC FM OV
Liquor IV OPR SV OCC MB FM OV BC
Man IV
Matrix IV OPR SV OCC FM IPR BC
Mhyang IV OPR DEF BC
MotorRolling IV SV MB FM IPR BC LR
MountainBike OPR IPR BC
Panda OPR SV OCC DEF IPR OV LR
RedTeam OPR SV OCC IPR LR
Rubik OPR SV OCC IPR
Shaking IV OPR SV IPR BC
Singer1 IV OPR SV OCC
Singer2 IV OPR DEF IPR BC
Skater OPR SV DEF IPR
Skater2 OPR SV DEF FM IPR
Skating1 IV OPR SV OCC DEF BC
Skating2-1 OPR SV OCC DEF FM
Skating2-2 OPR SV OCC DEF FM
Skiing IV OPR SV DEF IPR
Soccer IV OPR SV OCC MB FM IPR BC
Subway OCC DEF BC
Surfer OPR SV FM IPR LR
Suv OCC IPR OV
Sylvester IV OPR IPR
Tiger1 IV OPR OCC DEF MB FM IPR
Tiger2 IV OPR OCC DEF MB FM IPR OV
Toy OPR SV FM IPR
Trans IV SV OCC DEF
Trellis IV OPR SV IPR BC
Twinnings OPR SV
Vase SV FM IPR
Walking SV OCC DEF
Walking2 SV OCC LR
Woman IV OPR SV OCC DEF MB FM
"""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    target: tuple(attributes) for target, *attributes in map(str.split, _ATTRIBUTES_OF_TARGETS.strip().splitlines())
}

# The targets of OTB-2013, all of them in OTB-2015 too.
_NAMES_2013 = """
    Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll Dudek
    FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging-1
    Jogging-2 Jumping Lemming Liquor Matrix Mhyang MotorRolling MountainBike Shaking Singer1 Singer2 Skating1
    Skiing Soccer Subway Suv Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman
"""

OTB_2013: tuple[str, ...] = tuple(_NAMES_2013.split())
