"""What is decided before Keras is imported, each decision in a process of its own."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.limits import child

from bohb_seg import machine
from bohb_seg.training import devices

pytestmark = pytest.mark.training

HERE = tuple(name for name in devices.BACKENDS if find_spec(name))
PLAIN = {"KERAS_BACKEND": "", "XLA_FLAGS": "", "CUDA_VISIBLE_DEVICES": ""}
EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "KERAS_BACKEND": "jax"}

needs_jax = pytest.mark.skipif("jax" not in HERE, reason="JAX is not installed")
on_each_backend = pytest.mark.parametrize("backend", HERE)


def told(code, **environment):
    """What a fresh process prints as JSON."""
    whole = f"import json\nfrom bohb_seg.training import devices\n{code}"
    done = child(whole, **{**PLAIN, **environment})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def refusal(code, **environment):
    done = child("from bohb_seg.training import devices\n" + code, **{**PLAIN, **environment})
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


# --- backend ----------------------------------------------------------------------------------


def test_the_first_backend_that_is_installed_is_taken():
    backend = told(
        "devices.prepare('cpu'); import keras; print(json.dumps(keras.config.backend()))"
    )
    assert backend == HERE[0]


@pytest.mark.parametrize("backend", [name for name in devices.BACKENDS if name not in HERE])
def test_a_backend_that_is_missing_is_named(backend):
    said = refusal("devices.prepare('cpu')", KERAS_BACKEND=backend)
    assert said.endswith(f"KERAS_BACKEND={backend}: install {backend} into this environment")


def chosen(folder, installed, asked=""):
    """What a Python says that has these packages only; of a backend, presence is enough."""
    (folder / "bohb_seg").symlink_to(Path(machine.__file__).parent)
    for name in installed:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    code = f"import os, sys; sys.path.insert(0, {str(folder)!r})\n"
    code += "from bohb_seg.training import devices; devices.prepare('cpu')\n"
    code += "print(os.environ['KERAS_BACKEND'])"
    bare = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(bare, env={"KERAS_BACKEND": asked}, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[-1].removeprefix("bohb_seg.errors.")


@pytest.mark.parametrize(
    ("installed", "asked", "backend"),
    [
        (("jax", "tensorflow"), "", "tensorflow"),
        (("jax", "tensorflow"), "jax", "jax"),
        (("jax",), "", "jax"),
    ],
)
def test_a_wish_goes_before_tensorflow_and_that_before_jax(tmp_path, installed, asked, backend):
    assert chosen(tmp_path, installed, asked) == backend


def test_without_any_backend_both_are_named(tmp_path):
    assert chosen(tmp_path, ()) == (
        "SettingsError: no backend for Keras: install tensorflow or jax into this environment"
    )


def test_others_are_refused():
    said = refusal("devices.prepare('cpu')", KERAS_BACKEND="torch")
    assert said.endswith("KERAS_BACKEND=torch: choose tensorflow or jax")


# --- device -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "environment", "words"),
    [
        ("gpu:7", {"CUDA_VISIBLE_DEVICES": "2"}, "--device gpu:7: NVIDIA GPUs that this machine"),
        (
            "all-gpus",
            {"CUDA_VISIBLE_DEVICES": "-1"},
            "--device all-gpus: this machine shows no GPU",
        ),
        ("tpu", {"KERAS_BACKEND": "tensorflow"}, "--device tpu: needs KERAS_BACKEND=jax"),
    ],
)
def test_a_worker_refuses_what_is_not_there(device, environment, words):
    code = "import sys; from bohb_seg.commands import worker\n"
    code += f"sys.argv = ['bohb-worker', '--device', {device!r}, '--worker', 'toy']; worker.main()"
    done = child(code, **{**PLAIN, **environment})
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@needs_jax
@pytest.mark.skipif(machine.tpu_chips() > 0, reason="there is a TPU")
def test_a_tpu_that_is_not_there_is_refused():
    assert "--device tpu: this machine has no TPU" in refusal("devices.prepare('tpu')")


@pytest.mark.parametrize(
    ("device", "visible"), [("gpu", "5"), ("gpu:1", "GPU-a1"), ("auto", "5"), ("cpu", "-1")]
)
def test_a_process_sees_one_gpu_of_those_granted(device, visible):
    code = f"import os; devices.prepare({device!r})\nprint(json.dumps(dict(os.environ)))"
    environment = told(code, CUDA_VISIBLE_DEVICES="5,GPU-a1")
    assert environment["CUDA_VISIBLE_DEVICES"] == visible
    # No backend takes all memory in advance.
    assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


@on_each_backend
def test_a_gpu_that_the_backend_does_not_see_is_refused(backend):
    code = "devices.prepare('gpu'); devices.confirm('gpu')"
    said = refusal(code, KERAS_BACKEND=backend, CUDA_VISIBLE_DEVICES="no-such-gpu")
    assert f"--device gpu: {backend} sees no GPU here" in said
    assert {"tensorflow": "tensorflow[and-cuda]", "jax": "jax[cuda12]"}[backend] in said


@needs_jax
@pytest.mark.skipif(machine.tpu_chips() > 0, reason="there is a TPU")
def test_a_tpu_without_its_library_is_refused_with_what_jax_says():
    said = refusal("devices.confirm('tpu')", KERAS_BACKEND="jax", JAX_PLATFORMS="tpu,cpu")
    assert "--device tpu: jax sees no TPU here (Unable to initialize backend 'tpu'" in said
    assert "jax[tpu]" in said


@on_each_backend
def test_the_processor_needs_no_confirmation(backend):
    code = "import sys; devices.prepare('auto'); devices.confirm('auto')\n"
    assert told(code + "print(json.dumps('keras' in sys.modules))", KERAS_BACKEND=backend) is False


PROCESSOR = """
devices.prepare("cpu")
import keras
print(json.dumps([devices.kind(), devices.describe(), devices.compiles(), devices.parallel(),
                  devices.policy("auto"), devices.policy("float32"), devices.policy("bfloat16"),
                  devices.peak_memory_mb()]))
"""


@on_each_backend
def test_on_a_processor(backend):
    kind, text, compiles, parallel, auto, *others, peak = told(PROCESSOR, KERAS_BACKEND=backend)
    assert kind == f"{machine.processor()}, {machine.memory_gb()} GB"
    assert text == f"cpu ({machine.processor()}, {machine.processors()} threads)"
    gains = bool({"avx512_bf16", "amx_bf16"} & machine.processor_flags())
    expected = "mixed_bfloat16" if gains and backend == "tensorflow" else "float32"
    assert [auto, *others] == [expected, "float32", "mixed_bfloat16"]
    assert (compiles, parallel) == ("auto" if backend == "jax" else False, 1)
    assert 100 < peak < 1024 * machine.memory_gb()


# --- threads ----------------------------------------------------------------------------------

THREADS = """
import os, sys
devices.prepare("cpu", int(os.environ["COUNT"]))
import keras
square = keras.ops.ones((500, 500))
keras.ops.convert_to_numpy(keras.ops.matmul(square, square))
tasks = os.listdir("/proc/self/task")
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in tasks]
print(json.dumps([name for name in names if not name.startswith("llvm-worker")]))
"""


@on_each_backend
def test_no_more_threads_than_wished(backend):
    """They have no names: TensorFlow has one pool for operations, XLA two; no other pool grows.

    LLVM's, which compile, are not counted: there are as many as had something to do at once.
    """
    fixed = {"KERAS_BACKEND": backend, "OPENBLAS_NUM_THREADS": "1"}
    one, four = (len(told(THREADS, COUNT=count, **fixed)) for count in "14")
    assert four - one == {"tensorflow": 3, "jax": 6}[backend]


# --- several devices --------------------------------------------------------------------------

FIT = """
import os, sys
import numpy as np
devices.prepare("cpu", 2)
import jax, keras
devices.distribute()
keras.utils.set_random_seed(1)
layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Conv2D(3, 1)]
model = keras.Sequential([keras.Input((8, 8, 2)), *layers])
model.compile(keras.optimizers.SGD(0.5), "mse")
random = np.random.default_rng(0)
images, wanted = random.normal(size=(32, 8, 8, 2)), random.normal(size=(32, 6, 6, 3))
fitted = model.fit(images, wanted, batch_size=16, epochs=2, shuffle=False, verbose=0)
losses = fitted.history["loss"]
weights = [weight.tolist() for weight in model.get_weights()]
distribution = keras.distribution.distribution()
batch = images[:16].astype("float32")
if distribution:
    batch = keras.src.backend.distribution_lib.distribute_data_input(
        batch, distribution.get_data_layout(batch.shape), None)
    lengths = [len(shard.data) for shard in batch.addressable_shards]
else:
    lengths = [len(batch)]
print(json.dumps([devices.parallel(), devices.kind(), lengths, losses, weights]))
"""


@needs_jax
def test_eight_devices_share_a_batch_and_train_as_one_does():
    import numpy as np

    count, kind, lengths, losses, weights = told(FIT, **EIGHT)
    alone, _, whole, losses_alone, weights_alone = told(FIT, KERAS_BACKEND="jax")
    assert (count, lengths, alone, whole) == (8, [2] * 8, 1, [16])
    assert kind == f"{machine.processor()}, {machine.memory_gb()} GB x8"
    assert losses == pytest.approx(losses_alone, rel=1e-5)
    assert losses[1] < losses[0]
    for ours, theirs in zip(weights, weights_alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


# --- out of memory ----------------------------------------------------------------------------

SHORT = """
import os
import numpy as np
from helpers.limits import leave
devices.prepare("cpu", 2)
import keras

def step(count):
    layers = [keras.layers.Conv2D(32, 3, padding="same"), keras.layers.Conv2D(1, 3)]
    model = keras.Sequential([keras.Input((64, 64, 1)), *layers])
    model.compile("sgd", "mse", jit_compile=True)
    data = np.zeros((count, 64, 64, 1), "uint8"), np.zeros((count, 62, 62, 1), "uint8")
    return float(model.fit(*data, batch_size=count, verbose=0).history["loss"][0])

step(1)
leave(1500)
try:
    step(8192)  # 4 GB of float32 behind the first layer
    said = "it fitted"
except Exception as error:
    said = [devices.is_out_of_memory(error), type(error).__name__]
    del error
print(json.dumps([said, step(2)]), flush=True)
os._exit(0)  # because TensorFlow, after XLA failed, frees something twice when Python ends
"""


@on_each_backend
def test_a_step_without_memory_is_known_as_such_and_a_smaller_one_goes_on(backend):
    name = {"tensorflow": "ResourceExhaustedError", "jax": "XlaRuntimeError"}[backend]
    said, loss = told(SHORT, KERAS_BACKEND=backend)
    assert said == [True, name]
    assert loss == 0


def failure(work):
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("it was to fail")


def test_too_large_an_array_is_out_of_memory_whoever_makes_it():
    import keras
    import numpy as np

    assert devices.is_out_of_memory(failure(lambda: keras.ops.zeros((2**44,))))
    assert devices.is_out_of_memory(failure(lambda: np.zeros((2**44,))))
    assert devices.is_out_of_memory(failure(lambda: bytearray(2**50)))


def test_so_is_an_error_that_comes_of_it():
    def wrapped():
        try:
            bytearray(2**50)
        except MemoryError as error:
            raise ValueError("the data cannot be read") from error

    assert devices.is_out_of_memory(failure(wrapped))


def test_other_failures_are_not():
    import keras

    def of_shape():
        keras.ops.matmul(keras.ops.ones((2, 3)), keras.ops.ones((2, 3)))

    def of_words():
        raise ValueError("--data memory: this set is called out of memory")

    assert not devices.is_out_of_memory(failure(of_shape))
    assert not devices.is_out_of_memory(failure(of_words))


@pytest.mark.parametrize(
    "words",
    [
        # TensorFlow's kernels around oneDNN, whose status 1 is dnnl_out_of_memory
        "Operation received an exception:Status: 1, message: could not create a memory object",
        "INTERNAL: Buffer Definition Event: Out of memory allocating 943985128 bytes.",
        "RESOURCE_EXHAUSTED: Failed to allocate request for 4.0GiB on device ordinal 0",
        "FAILED_PRECONDITION: CUDNN_STATUS_ALLOC_FAILED",
        "std::bad_alloc",
    ],
)
def test_words_of_the_backends(words):
    assert devices.is_out_of_memory(RuntimeError(words))


def test_other_words_of_onednn_are_another_matter():
    words = "Operation received an exception:Status: 3, message: could not create a primitive"
    assert not devices.is_out_of_memory(RuntimeError(words))
