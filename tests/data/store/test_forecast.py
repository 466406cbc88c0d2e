from helpers.stores import image_of, stored
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.data.store.forecast import Forecast, Header, forecast, sampled_rate

MB = 1_000_000


def test_disk_is_what_the_store_takes(tmp_path):
    images = [image_of(300, 70, 3), image_of(64, 129, 5, "uint16")]
    stored(tmp_path / "key", images)

    told = forecast(
        [Header(300, 70, 3), Header(64, 129, 5, "uint16")], threads=2, batch=(16, 64)
    ).disk

    assert told == sum((tmp_path / "key" / name).stat().st_size for name in FILES)


FILES = ("pixels.bin", "tiles.bin")


def test_a_large_raster_is_prepared_in_little_memory():
    told = forecast([Header(20_000, 20_000, 3, by_window=True)], threads=2, batch=(16, 256))

    assert told.disk < 1.05 * 4 * 20_000**2
    assert 50 * MB < told.preparing < 300 * MB
    assert told.training < 50 * MB


def test_a_decoder_keeps_no_more_than_there_is():
    small, large = Header(100, 100, 3, by_window=True), Header(20_000, 20_000, 3, by_window=True)
    for header, kept in ((small, 100 * 100 * 3), (large, 900 * MB)):
        without = forecast([header], threads=2, batch=(16, 256)).preparing
        told = forecast([header], threads=2, batch=(16, 256), block_cache=900 * MB).preparing

        assert told - without == kept


def test_a_file_that_is_decoded_whole_lies_in_memory_whole():
    told = forecast([Header(20_000, 20_000, 3)] * 3, threads=2, batch=(16, 256))

    assert told.preparing > 2 * 4 * 20_000**2


def test_time_follows_from_what_was_sampled():
    now = iter([0.0, 0.6, 1.2, 2.0])
    decoded = []

    rate = sampled_rate([1000] * 9, decoded.append, clock=lambda: next(now))
    told = forecast([Header(500, 100, 3, downscale=2)] * 9, threads=4, batch=(1, 8), rate=rate)

    assert decoded == [4, 2]
    assert rate == 1000
    assert told.seconds == 9 * 500 * 100 * 4 / 1000 / 4


@given(st.integers(0, 30))
def test_samples_are_all_files_where_there_is_time(count):
    decoded = []

    rate = sampled_rate([7] * count, decoded.append, clock=lambda: 0.0)

    assert sorted(decoded) == list(range(count))
    assert (rate is None) == (count == 0)


def test_the_sentences():
    told = Forecast(disk=1600 * MB, preparing=100 * MB, training=17 * MB, seconds=65.4)

    assert list(told.judged("cache", 53_000 * MB, 8000 * MB)) == [
        ("decoded, the data takes 1600 MB below cache, where 53 GB is free", True),
        ("preparing takes 100 MB of memory and training 17 MB for its patches, of 8000 MB", True),
        ("decoding takes about 65 s, once", True),
    ]


def test_the_sentences_where_there_is_not_enough():
    told = Forecast(disk=160_000 * MB, preparing=9000 * MB, training=17 * MB, seconds=6540)

    assert list(told.judged("cache", 5_300 * MB, 8000 * MB)) == [
        (
            "decoded, the data takes 160 GB below cache, where 5300 MB is free;"
            " make room or choose another --cache-dir",
            False,
        ),
        (
            "preparing takes 9000 MB of memory and training 17 MB for its patches, of 8000 MB;"
            " that is not enough, use a machine with more or --downscale",
            False,
        ),
        ("decoding takes about 109 min, once", True),
    ]
