"""How kernels are compiled and called. No other file than this and `cache` relies on the internals of numba.

Kernels are module-level functions under `jit`. They run without the GIL and without fast-math (LLVM may neither reorder
nor fuse floating-point operations, so that results do not depend on the machine), and what was compiled is kept on disk
(`cache`).
"""

import sys
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ruleshift.envs.cache import keep_compiled

if numba.config.DISABLE_JIT:
    raise ImportError("ruleshift needs numba's compiler, which NUMBA_DISABLE_JIT turns off: unset that variable")
if sys.byteorder != "little" or sys.maxsize < 2**32:
    raise ImportError("ruleshift needs a little-endian processor and a Python of 64 bits")


def jit(function: Callable[..., Any]) -> Any:
    """Compile `function` on its first call: no GIL, IEEE arithmetic as written, kept for later processes if it is ours.

    References are not counted (`_nrt=False`): the atomic counters took a third of a round and made threads wait for
    each other. So a kernel must not allocate memory, nor return an array to Python.
    """
    return _decorated(function, forceinline=False)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile `function` like `jit`, but always inline it into its callers.

    A loop around it can then be vectorized, and arrays of a view are not passed on the stack, which took as long as
    the round itself.
    """
    return _decorated(function, forceinline=True)


def _decorated(function: Callable[..., Any], forceinline: bool) -> Any:
    dispatcher = numba.njit(nogil=True, error_model="numpy", _nrt=False, forceinline=forceinline)(function)
    if function.__module__.startswith("ruleshift."):
        keep_compiled(dispatcher)
    return dispatcher


def freeze(dispatcher: Any, *arguments: Any) -> Any:
    """Compile a kernel for the types of `arguments` and for no others.

    A strided array or another dtype would otherwise compile the whole kernel again, silently and for seconds. After
    this call it raises TypeError at once.
    """
    dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments))
    dispatcher.disable_compile()
    return dispatcher


Integer = Annotated[Any, types.int64]
Integers1 = Annotated[np.ndarray, types.Array(types.int64, 1, "C")]
Integers2 = Annotated[np.ndarray, types.Array(types.int64, 2, "C")]
Floats1 = Annotated[np.ndarray, types.Array(types.float64, 1, "C")]
Floats2 = Annotated[np.ndarray, types.Array(types.float64, 2, "C")]
Floats3 = Annotated[np.ndarray, types.Array(types.float64, 3, "C")]
"""Types of the fields of the named tuples that kernels take: C-contiguous arrays of 1, 2 or 3 dimensions."""


def compiled_type(kind: Any) -> Any:
    """Return the numba type of an annotation such as `Floats2`, or of a NamedTuple whose fields have such types."""
    if hasattr(kind, "__metadata__"):
        return kind.__metadata__[0]
    fields = tuple(compiled_type(each) for each in get_type_hints(kind, include_extras=True).values())
    return types.NamedTuple(fields, kind)  # type: ignore[attr-defined]


def address_of(function: Callable[..., Any], signature: Any) -> int:
    """Return the machine address of `function` (plain Python or already compiled), compiled for a fixed signature.

    The dispatcher is kept alive in `_ALIVE`, because the address is valid only as long as its library is loaded.

    Raises:
        TypeError: if the function does not return what the signature says.
    """
    dispatcher = function if isinstance(function, numba.core.dispatcher.Dispatcher) else _uncached(function)
    dispatcher.compile(signature)
    compiled = dispatcher.overloads[tuple(signature.args)]
    if compiled.signature.return_type != signature.return_type:
        raise TypeError(f"it returns {compiled.signature.return_type}; a mechanism returns nothing")
    _ALIVE.append(dispatcher)
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


_ALIVE: list[Any] = []


def _uncached(function: Callable[..., Any]) -> Any:
    return numba.njit(nogil=True, error_model="numpy")(function)


def calls_through_address(signature: Any) -> Any:
    """Return an intrinsic `call(address, *arguments)` for addresses that `address_of` gave for this `signature`."""

    @intrinsic
    def call(typing_context, address, *arguments):  # type: ignore[no-untyped-def]
        def generate(context, builder, _signature, values):  # type: ignore[no-untyped-def]
            convention = context.call_conv
            kind = convention.get_function_type(signature.return_type, signature.args)
            pointer = builder.inttoptr(values[0], kind.as_pointer())
            packed = cgutils.unpack_tuple(builder, values[1])
            status, result = convention.call_function(builder, pointer, signature.return_type, signature.args, packed)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return result

        return signature.return_type(types.int64, types.Tuple(signature.args)), generate  # type: ignore[attr-defined]

    return call


@intrinsic
def float_bits(typing_context, value):  # type: ignore[no-untyped-def]
    """Return the bits of a float64 as int64."""

    def generate(context, builder, _signature, values):  # type: ignore[no-untyped-def]
        return builder.bitcast(values[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def bits_float(typing_context, value):  # type: ignore[no-untyped-def]
    """Return the float64 that has these int64 bits."""

    def generate(context, builder, _signature, values):  # type: ignore[no-untyped-def]
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), generate


@intrinsic
def fetch_add(typing_context, counter, amount):  # type: ignore[no-untyped-def]
    """Add to the first number of int64 memory that threads share, atomically; returns the number before."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        pointer = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.atomic_rmw("add", pointer, values[1], "monotonic")

    return types.int64(counter, types.int64), generate


@intrinsic
def matrix(typing_context, memory, start, rows, columns):  # type: ignore[no-untyped-def]
    """Return one-dimensional memory from index `start` on as a C-contiguous (rows, columns) array, unchecked."""
    kind = types.Array(memory.dtype, 2, "C")

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        whole = context.make_array(signature.args[0])(context, builder, values[0])
        size = context.get_abi_sizeof(context.get_data_type(memory.dtype))
        item = context.get_constant(types.intp, size)
        stride = builder.mul(values[3], item)
        piece = context.make_array(kind)(context, builder)
        context.populate_array(
            piece,
            data=builder.gep(whole.data, [values[1]]),
            shape=(values[2], values[3]),
            strides=(stride, item),
            itemsize=item,
            meminfo=None,
        )
        return piece._getvalue()

    return kind(memory, types.intp, types.intp, types.intp), generate


@intrinsic
def piece(typing_context, memory, start, length):  # type: ignore[no-untyped-def]
    """Return `memory[start : start + length]` of one-dimensional memory: a slice at no cost, unchecked."""
    kind = types.Array(memory.dtype, 1, "C")

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        whole = context.make_array(signature.args[0])(context, builder, values[0])
        item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(memory.dtype)))
        part = context.make_array(kind)(context, builder)
        context.populate_array(
            part, data=builder.gep(whole.data, [values[1]]), shape=(values[2],), strides=(item,), itemsize=item,
            meminfo=None,
        )  # fmt: skip
        return part._getvalue()

    return kind(memory, types.intp, types.intp), generate


@intrinsic
def prefetch(typing_context, index, *columns):  # type: ignore[no-untyped-def]
    """Start loading `column[index]` of one-dimensional arrays into the cache; any index is safe."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        option, anywhere = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [anywhere, option, option, option])
        load = builder.module.declare_intrinsic("llvm.prefetch", [anywhere], kind)
        for kind_, column in zip(signature.args[1], cgutils.unpack_tuple(builder, values[1]), strict=True):
            pointer = builder.gep(context.make_array(kind_)(context, builder, column).data, [values[0]])
            builder.call(
                load, [builder.bitcast(pointer, anywhere), option(0), option(3), option(1)]
            )  # read, near, data
        return context.get_dummy_value()

    return types.none(types.intp, types.Tuple(columns)), generate  # type: ignore[attr-defined]


@intrinsic
def stream(typing_context, source, count, target, first):  # type: ignore[no-untyped-def]
    """Copy the first `count` rows of `source` into `target` from row `first` on, bypassing the caches.

    Both are float32 (..., F), and the rows should not be read again soon. Call `settle` before another thread reads
    them.
    """
    line, mark = 8, 32  # how many numbers and how many bytes a vector holds

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        here = context.make_array(signature.args[0])(context, builder, values[0])
        there = context.make_array(signature.args[2])(context, builder, values[2])
        size = cgutils.unpack_tuple(builder, here.shape)[1]
        word, vector = ir.IntType(64), ir.VectorType(ir.FloatType(), line)
        total = builder.mul(values[1], size)
        data, pointer = here.data, builder.gep(there.data, [builder.mul(values[3], size)])
        address = builder.ptrtoint(pointer, word)
        short = builder.lshr(builder.and_(builder.neg(address), word(mark - 1)), word(2))
        head = builder.select(builder.icmp_unsigned("<", short, total), short, total)
        whole = builder.add(head, builder.and_(builder.sub(total, head), word(-line)))

        def copy_number(index):  # type: ignore[no-untyped-def]
            builder.store(builder.load(builder.gep(data, [index])), builder.gep(pointer, [index]))

        with cgutils.for_range_slice(builder, word(0), head, word(1), word) as (index, _):
            copy_number(index)
        with cgutils.for_range_slice(builder, head, whole, word(line), word) as (index, _):
            value = builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=4)
            store = builder.store(
                value, builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer()), align=mark
            )
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        with cgutils.for_range_slice(builder, whole, total, word(1), word) as (index, _):
            copy_number(index)
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp), generate


@intrinsic
def settle(typing_context):  # type: ignore[no-untyped-def]
    """Wait until everything that was streamed has been written."""

    def generate(context, builder, _signature, values):  # type: ignore[no-untyped-def]
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def write_down(typing_context, value, words):  # type: ignore[no-untyped-def]
    """Write a value (a tuple of arrays) as machine words into int64 memory, from which `reader` can read it."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        target = context.make_array(signature.args[1])(context, builder, values[1]).data
        kind = context.get_value_type(signature.args[0])
        builder.store(values[0], builder.bitcast(target, kind.as_pointer()))
        return context.get_dummy_value()

    return types.none(value, words), generate


def reader(kind: Any) -> Any:
    """Return an intrinsic `read(words)` that gives the value of this numba type which `write_down` wrote there."""

    @intrinsic
    def read(typing_context, words):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            source = context.make_array(signature.args[0])(context, builder, values[0]).data
            return builder.load(builder.bitcast(source, context.get_value_type(kind).as_pointer()))

        return kind(words), generate

    return read
