"""Formulas as machine code that works on many signals at once, by numba: a signal in each lane of a vector register.

What lies between the steps of a transform keeps its signals side by side, `W` of them: (.., W). A formula of
`_lane_formulas` is then called on vectors of 64 bytes, and what it does with them is written down as instructions: nothing
is left to the compiler's judgement of whether a loop may be vectorised. Processors with narrower vectors split them.

Imported only where numba is installed and asked for.
"""
# mypy: allow-untyped-defs

from collections.abc import Callable, Sequence
from inspect import unwrap
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: bytes of a vector
BYTES = 64
I32, I64 = ir.IntType(32), ir.IntType(64)


class Vector:
    """Numbers of as many signals as a register has lanes: what formulas add, subtract and multiply."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _with(self, operation: str, other: "Vector") -> "Vector":
        emit = getattr(self.builder, operation)
        return Vector(self.builder, emit(self.value, other.value, flags=("contract",)))  # a * b + c in one rounding

    def __add__(self, other: "Vector") -> "Vector":
        return self._with("fadd", other)

    def __sub__(self, other: "Vector") -> "Vector":
        return self._with("fsub", other)

    def __mul__(self, other: "Vector") -> "Vector":
        return self._with("fmul", other)


class _Lanes:
    """The vectors of one kind of number: loads, stores, broadcasts, transpositions."""

    def __init__(self, context: Any, builder: Any, number: Any) -> None:
        self.builder, element = builder, context.get_data_type(number)
        self.size = context.get_abi_sizeof(element)
        self.count = BYTES // self.size
        self.type = ir.VectorType(element, self.count)

    def _at(self, pointer: Any, offset: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.type.as_pointer())

    def load(self, pointer: Any, offset: Any) -> Any:
        return self.builder.load(self._at(pointer, offset), align=self.size)

    def store(self, value: Any, pointer: Any, offset: Any) -> None:
        self.builder.store(value, self._at(pointer, offset), align=self.size)

    def _shuffled(self, a: Any, b: Any, places: Sequence[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, self.count), list(places)))

    def broadcast(self, value: Any) -> Any:
        nothing = ir.Constant(self.type, ir.Undefined)
        return self._shuffled(self.builder.insert_element(nothing, value, I32(0)), nothing, [0] * self.count)

    def transposed(self, rows: Sequence[Any]) -> list[Any]:
        """As many vectors as lanes, rows to columns: blocks of 1, 2, 4, .. change places."""
        out, n, step = list(rows), self.count, 1
        while step < n:
            low = [i if not i & step else n + i - step for i in range(n)]
            high = [i + step if not i & step else n + i for i in range(n)]
            for i in range(n):
                if not i & step:
                    a, b = out[i], out[i + step]
                    out[i], out[i + step] = self._shuffled(a, b, low), self._shuffled(a, b, high)
            step *= 2
        return out


def _data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value).data


def lanewise(formula: Callable[..., Any], inputs: int, outputs: int, scalars: int) -> Any:
    """`kernel(x, places in x, y, places in y, scalars, W)`: y[place + w] = formula(x[place + w], scalars), w < W.

    All places are tuples of integers, one for each vector of the formula; `W` is a multiple of 16.
    """

    def kernel(typingctx, x, places, y, targets, factors, lanes):
        def codegen(context, builder, signature, args):
            vectors = _Lanes(context, builder, signature.args[0].dtype)
            read, write = (_data(context, builder, signature.args[i], args[i]) for i in (0, 2))
            given = [Vector(builder, vectors.broadcast(builder.extract_value(args[4], i))) for i in range(scalars)]
            sources = [builder.extract_value(args[1], i) for i in range(inputs)]
            sinks = [builder.extract_value(args[3], i) for i in range(outputs)]
            with cgutils.for_range_slice(builder, I64(0), args[5], I64(vectors.count), I64) as (w, _):
                here = [builder.add(place, w) for place in sinks]
                found = [Vector(builder, vectors.load(read, builder.add(place, w))) for place in sources]
                for value, place in zip(formula(found, given), here, strict=True):
                    vectors.store(value.value, write, place)
            return context.get_dummy_value()

        return types.void(x, places, y, targets, factors, lanes), codegen

    return intrinsic(unwrap(kernel))


def _tile_sums(across: bool) -> Any:
    """`sums(table, first, along, terms, x, start, y, to, pitch)`: four sums, y_i = sum_j t_ij x_j, for each lane of a vector.

    The table is in tiles of 4 x 4 numbers, a cache line in single precision, whose rows, or `across` columns, are i; the tiles
    from `first` on, `along` numbers apart, hold j = 0 .. 3, 4 .. 7 and so on. Rows of x and y are `pitch` numbers apart.

    The sums stay in registers from the first term to the last: eight of them in vectors of 32 bytes, as many as keep two units
    for products busy, where each term costs the loads of a vector and of four numbers.
    """

    def kernel(typingctx, table, first, along, terms, x, start, y, to, pitch):
        def codegen(context, builder, signature, args):
            vectors = _Lanes(context, builder, signature.args[0].dtype)
            tiles, read, write = (_data(context, builder, signature.args[i], args[i]) for i in (0, 4, 6))
            _, first, along, terms, _, start, _, to, pitch = args
            sums = [cgutils.alloca_once_value(builder, ir.Constant(vectors.type, None)) for _ in range(4)]

            def add(j: Any, tile: Any, u: Any) -> None:
                value = Vector(builder, vectors.load(read, builder.add(start, builder.mul(j, pitch))))
                for i, total in enumerate(sums):
                    at = builder.add(builder.mul(u, I64(4)), I64(i)) if across else builder.add(u, I64(4 * i))
                    number = builder.load(builder.gep(tiles, [builder.add(tile, at)]))
                    product = Vector(builder, vectors.broadcast(number)) * value
                    builder.store((Vector(builder, builder.load(total)) + product).value, total)

            def tile_of(j: Any) -> Any:
                return builder.add(first, builder.mul(builder.lshr(j, I64(2)), along))

            whole = builder.and_(terms, I64(-4))
            with cgutils.for_range_slice(builder, I64(0), whole, I64(4), I64) as (j, _):
                tile = tile_of(j)
                for u in range(4):
                    add(builder.add(j, I64(u)), tile, I64(u))
            with cgutils.for_range_slice(builder, whole, terms, I64(1), I64) as (j, _):
                add(j, tile_of(j), builder.and_(j, I64(3)))
            for i, total in enumerate(sums):
                vectors.store(builder.load(total), write, builder.add(to, builder.mul(I64(i), pitch)))
            return context.get_dummy_value()

        return types.void(table, first, along, terms, x, start, y, to, pitch), codegen

    return intrinsic(unwrap(kernel))


tile_sums, tile_sums_across = _tile_sums(False), _tile_sums(True)


def _prefetch_kernel(typingctx, x, place):
    def codegen(context, builder, signature, args):
        data = _data(context, builder, signature.args[0], args[0])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        call = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(call, [builder.bitcast(builder.gep(data, [args[1]]), byte), I32(0), I32(2), I32(1)])
        return context.get_dummy_value()

    return types.void(x, place), codegen


#: `prefetch(x, place)`: have the cache line of x[place] brought nearer, to be read soon
prefetch: Any = intrinsic(unwrap(_prefetch_kernel))


def _signals_by_nodes(gather: bool) -> Any:
    """Kernels between rows of nodes, a signal each, and lanes: 16 signals and 16 nodes (8 and 8 in double precision).

    `gather` makes north + beta south, and `apart` further north - beta south, where signals stand side by side; the other way
    writes re + im to the north, and re - im to the south before (no ring has its own number as its mirror image but one that
    has none).
    """

    def kernel(typingctx, f, north, south, stride, x, place, pitch, apart, beta):
        def codegen(context, builder, signature, args):
            _, north, south, stride, _, place, pitch, apart, beta = args
            vectors = _Lanes(context, builder, signature.args[0].dtype)
            rows, lanes = (_data(context, builder, signature.args[i], args[i]) for i in (0, 4))

            def step(start: Any, stride: Any, i: int) -> Any:
                return builder.add(start, builder.mul(stride, I64(i)))

            def vector(pointer: Any, start: Any, stride: Any, i: int) -> Vector:
                return Vector(builder, vectors.load(pointer, step(start, stride, i)))

            count, second = range(vectors.count), builder.add(place, apart)
            if gather:
                factor = Vector(builder, vectors.broadcast(beta))
                pairs = [(vector(rows, north, stride, i), vector(rows, south, stride, i) * factor) for i in count]
                for start, part in (
                    (place, [(n + s).value for n, s in pairs]),
                    (second, [(n - s).value for n, s in pairs]),
                ):
                    for k, value in enumerate(vectors.transposed(part)):
                        vectors.store(value, lanes, step(start, pitch, k))
            else:
                pairs = [(vector(lanes, place, pitch, k), vector(lanes, second, pitch, k)) for k in count]
                for start, part in (
                    (south, [(re - im).value for re, im in pairs]),
                    (north, [(re + im).value for re, im in pairs]),
                ):
                    for i, value in enumerate(vectors.transposed(part)):
                        vectors.store(value, rows, step(start, stride, i))
            return context.get_dummy_value()

        return types.void(f, north, south, stride, x, place, pitch, apart, beta), codegen

    return intrinsic(unwrap(kernel))


gather, scatter = _signals_by_nodes(True), _signals_by_nodes(False)


def _pointer_kernel(typingctx, address):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), codegen


#: `pointer(integer)`: an address of memory
pointer: Any = intrinsic(unwrap(_pointer_kernel))


def for_threads(run: Callable[[Any], None]) -> Any:
    """The C function that `_openmp.in_threads` calls: of an address of integers."""
    return numba.cfunc(types.void(types.voidptr), error_model="numpy")(unwrap(run))
