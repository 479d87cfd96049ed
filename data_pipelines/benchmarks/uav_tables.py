"""The targets of UAV123 and UAV20L, and the frames of those that are part of a video."""

_NAMES_20L = """
bike1 bird1 car1 car3 car6 car8 car9 car16 group1 group2 group3 person2 person4 person5 person7 person14 person17
person19 person20 uav1
"""

# Targets that have a video to themselves; the _s are simulated.
_NAMES_OF_WHOLE_VIDEOS = """
bike1 bike2 bike3 boat1 boat2 boat3 boat4 boat5 boat6 boat7 boat8 boat9 building1 building2 building3 building4
building5 car1_s car2 car2_s car3 car3_s car4 car4_s car5 car7 car9 car10 car11 car12 car13 car14 car15 car17 car18
person1 person1_s person2_s person3 person3_s person6 person9 person10 person11 person13 person15 person16 person18
person20 person21 person22 person23 truck1 truck2 truck3 uav2 uav3 uav4 uav5 uav6 uav7 uav8 wakeboard1 wakeboard2
wakeboard3 wakeboard4 wakeboard5 wakeboard6 wakeboard7 wakeboard8 wakeboard9 wakeboard10
"""

# Videos cut into targets bird1_1, bird1_2, ...: the first and last frame of each by the benchmark's configuration. Most
# share a frame with the next, and bird1 and uav1 leave some out.
_RANGES_IN_VIDEOS = """
bird1 1-253 775-1477 1573-2437
car1 1-751 751-1627 1627-2629
car6 1-487 487-1807 1807-2953 2953-3925 3925-4861
car8 1-1357 1357-2575
car16 1-415 415-1993
group1 1-1333 1333-2515 2515-3925 3925-4873
group2 1-907 907-1771 1771-2683
group3 1-1567 1567-2827 2827-4369 4369-5527
person2 1-1189 1189-2623
person4 1-1501 1501-2743
person5 1-877 877-2101
person7 1-1249 1249-2065
person8 1-1075 1075-1525
person12 1-601 601-1621
person14 1-847 847-1813 1813-2923
person17 1-1501 1501-2347
person19 1-1243 1243-2791 2791-4357
truck4 1-577 577-1261
uav1 1-1555 1555-2377 2473-3469
"""

NAMES_20L: tuple[str, ...] = tuple(_NAMES_20L.split())

# {target: (video, first frame, last frame)}
PARTS: dict[str, tuple[str, int, int]] = {
    f"{video}_{number}": (video, *map(int, frames.split("-")))
    for video, *ranges in map(str.split, _RANGES_IN_VIDEOS.strip().splitlines())
    for number, frames in enumerate(ranges, 1)
}

NAMES_123: tuple[str, ...] = (*_NAMES_OF_WHOLE_VIDEOS.split(), *PARTS)
