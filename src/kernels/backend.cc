// The checks every backend shares: shapes, types and ids are judged here once, so that kernels
// below may trust them. A breach is our own mistake (Code::bug), never the user's: sizes that come
// from files are judged where they are read.
// SPDX-License-Identifier: MIT
#include "kernels/backend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/quant.h"

namespace janus {
namespace {

constexpr int64_t kLowRankRows = 64;  // that pass an addition together

// Dense rows of f32, however many leading dimensions they have.
void check_f32(const char* op, const char* what, const Tensor& t) {
  check(t.rank > 0 && t.dtype == Dtype::f32, Code::bug, op, ": ", what, " must be f32, is ",
        traits(t.dtype).name, " ", shape_text(t));
  check(t.data || t.count() == 0, Code::bug, op, ": ", what, " ", shape_text(t), " has no memory");
  check(t.row_stride >= t.cols() || t.rows() <= 1, Code::bug, op, ": ", what, " ", shape_text(t),
        " has rows that overlap");
}

void check_same(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                const Tensor& b) {
  check_f32(op, a_name, a);
  check_f32(op, b_name, b);
  check(a.rows() == b.rows() && a.cols() == b.cols(), Code::bug, op, ": ", a_name, " ",
        shape_text(a), " and ", b_name, " ", shape_text(b), " differ");
}

void check_vector(const char* op, const char* what, const Tensor& t, int64_t size) {
  check_f32(op, what, t);
  check(t.count() == size && t.dense(), Code::bug, op, ": ", what, " ", shape_text(t),
        " should be [", size, "]");
}

void check_image(const char* op, const char* what, const Tensor& t) {
  check_f32(op, what, t);
  check(t.rank == 4 && t.dense(), Code::bug, op, ": ", what, " ", shape_text(t),
        " should be dense [n, h, w, c]");
}

void check_weight(const char* op, const Weight& w) {
  check(w.outputs > 0 && w.inputs > 0 && w.data.data(), Code::bug, op, ": empty weight [",
        w.outputs, ", ", w.inputs, "]");
}

void check_format(const char* op, Dtype dtype) {
  check(dtype == Dtype::f32 || dtype == Dtype::bf16, Code::bug, op,
        ": storage must be f32 or bf16, is ", traits(dtype).name);
}

void check_cache_format(const char* op, Dtype dtype) {
  check(dtype == Dtype::f32 || dtype == Dtype::bf16 || dtype == Dtype::q8, Code::bug, op,
        ": keys and values must be f32, bf16 or q8, are ", traits(dtype).name);
}

void check_cache(const char* op, const Rows& rows, const KvLayer& cache) {
  check_cache_format(op, cache.dtype);
  check(cache.heads > 0 && cache.width > 0 && cache.keys && cache.values, Code::bug, op,
        ": empty cache of ", cache.heads, " heads of ", cache.width);
  check(cache.stride > 0, Code::bug, op, ": blocks of ", cache.stride, " bytes");
  check(rows.sequence.size() == rows.position.size(), Code::bug, op, ": ", rows.sequence.size(),
        " sequences for ", rows.position.size(), " positions");
  const int64_t per_sequence = rows.blocks_per_sequence;
  const int64_t sequences =
      per_sequence > 0 ? static_cast<int64_t>(rows.blocks.size()) / per_sequence : 0;
  for (size_t r = 0; r < rows.position.size(); ++r) {
    const int64_t sequence = rows.sequence[r];
    const int64_t position = rows.position[r];
    check(sequence >= 0 && sequence < sequences, Code::bug, op, ": row ", r, " names sequence ",
          sequence, " of ", sequences);
    check(position >= 0 && position / kKvBlock < per_sequence, Code::bug, op, ": row ", r,
          " stands at position ", position, " of ", per_sequence * kKvBlock);
  }
}

// Every block that holds positions 0 … position of the row's sequence is a real one.
void check_blocks(const char* op, const Rows& rows, const KvLayer& cache) {
  check_cache(op, rows, cache);
  for (size_t r = 0; r < rows.position.size(); ++r) {
    const int64_t first = rows.sequence[r] * rows.blocks_per_sequence;
    for (int64_t i = 0; i <= rows.position[r] / kKvBlock; ++i) {
      const int64_t block = rows.blocks[static_cast<size_t>(first + i)];
      check(block >= 0 && block < cache.blocks, Code::bug, op, ": row ", r, " needs block ", block,
            " of ", cache.blocks);
    }
  }
}

}  // namespace

int64_t Backend::prepared_rows_bytes(Dtype dtype, int64_t rows, int64_t inputs) const {
  return do_prepared_rows_bytes(dtype, rows, inputs);
}

int64_t Backend::low_rank_bytes(int64_t rank) { return bytes_of(Dtype::f32, kLowRankRows * rank); }

int64_t Backend::kv_block_bytes(Dtype dtype, int heads, int width) const {
  check_cache_format("kv_block_bytes", dtype);
  check(heads > 0 && width > 0, Code::bug, "kv_block_bytes: ", heads, " heads of ", width);
  return do_kv_block_bytes(dtype, heads, width);
}

int64_t Backend::filter_bytes(int kernel, int64_t channels, int64_t outputs) const {
  check(kernel > 0 && channels > 0 && outputs > 0, Code::bug, "filter_bytes: ", outputs,
        " filters of ", channels, " channels, ", kernel, " wide");
  return do_filter_bytes(kernel, channels, outputs);
}

void Backend::gather(const Table& table, std::span<const int32_t> ids, Tensor out) const {
  check_f32("gather", "out", out);
  check_format("gather", table.rows.view.dtype);
  check(out.rows() == static_cast<int64_t>(ids.size()) && out.cols() == table.width, Code::bug,
        "gather: out ", shape_text(out), " for ", ids.size(), " rows of [", table.entries, ", ",
        table.width, "]");
  for (const int32_t id : ids) {
    check(id >= 0 && id < table.entries, Code::bug, "gather: id ", id, " of a table of ",
          table.entries);
  }
  do_gather(table, ids, out);
}

void Backend::rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const {
  check_same("rms_norm", "x", x, "out", out);
  check_vector("rms_norm", "weight", weight, x.cols());
  do_rms_norm(x, weight, eps, out);
}

void Backend::layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const {
  check_same("layer_norm", "x", x, "out", out);
  check_vector("layer_norm", "weight", weight, x.cols());
  check_vector("layer_norm", "bias", bias, x.cols());
  do_layer_norm(x, weight, bias, eps, out);
}

void Backend::linear(Tensor x, const Weight& weight, Tensor out, Epilogue epilogue) const {
  check_f32("linear", "x", x);
  check_f32("linear", "out", out);
  check_weight("linear", weight);
  for (const Weight& part : weight.behind) check_weight("linear", part);
  check(x.cols() == weight.inputs && out.cols() == weight.all_outputs() && x.rows() == out.rows(),
        Code::bug, "linear: x ", shape_text(x), ", weight [", weight.all_outputs(), ", ",
        weight.inputs, "], out ", shape_text(out));
  check(x.data != out.data || x.count() == 0, Code::bug, "linear: x and out share memory");
  if (weight.additions.empty()) return multiply_rows(x, weight, out, epilogue);
  linear_with_additions(x, weight, out, epilogue);
}

void Backend::multiply_rows(Tensor x, const Weight& weight, Tensor out, Epilogue epilogue) const {
  if (weight.behind.empty()) return do_linear(x, weight, out, epilogue);
  do_linear(x, weight, out.columns(0, weight.outputs), epilogue);
  int64_t at = weight.outputs;
  for (const Weight& part : weight.behind) {
    do_linear(x, part, out.columns(at, part.outputs), epilogue);
    at += part.outputs;
  }
}

// As many rows at once as the scratch has room for, whatever comes in one call.
void Backend::linear_with_additions(Tensor x, const Weight& weight, Tensor out,
                                    Epilogue epilogue) const {
  const bool gelu = epilogue == Epilogue::gelu;
  multiply_rows(x, weight, out, gelu ? Epilogue::store : epilogue);
  const int64_t all = weight.all_outputs();
  const std::lock_guard lock(between_->in_use);
  for (const LowRankAddition& addition : weight.additions) {
    const int64_t rank = addition.a.outputs, outputs = addition.b.outputs;
    const bool last = &addition == &weight.additions.back();
    check(addition.a.inputs == weight.inputs && addition.b.inputs == rank &&
              addition.first + outputs <= all && (!gelu || !last || outputs == all),
          Code::bug, "linear: weight [", all, ", ", weight.inputs, "] with an addition of rank ",
          rank, " [", outputs, ", ", addition.a.inputs, "]");
    if (between_->memory.bytes() < low_rank_bytes(rank)) {
      between_->memory = Buffer();  // the old goes before the new comes
      between_->memory = Buffer(low_rank_bytes(rank));
    }
    const Tensor to = out.columns(addition.first, outputs);
    for (int64_t row = 0; row < x.rows(); row += kLowRankRows) {
      const int64_t rows = std::min(kLowRankRows, x.rows() - row);
      const Tensor between(between_->memory.data(), Dtype::f32, {rows, rank});
      do_linear(x.slice(row, rows), addition.a, between, Epilogue::store);
      do_linear(between, addition.b, to.slice(row, rows),
                gelu && last ? Epilogue::add_gelu : Epilogue::add);
    }
  }
}

void Backend::swiglu(Tensor gate_up, Tensor out) const {
  check_f32("swiglu", "gate_up", gate_up);
  check_f32("swiglu", "out", out);
  check(gate_up.cols() == 2 * out.cols() && gate_up.rows() == out.rows(), Code::bug,
        "swiglu: gate_up ", shape_text(gate_up), ", out ", shape_text(out));
  do_swiglu(gate_up, out);
}

void Backend::rope(Tensor x, int heads, std::span<const int32_t> position,
                   const RopeTable& table) const {
  check_f32("rope", "x", x);
  check(heads > 0 && x.cols() % (2 * heads) == 0, Code::bug, "rope: ", heads,
        " heads of even width in ", shape_text(x));
  check(x.rows() == static_cast<int64_t>(position.size()), Code::bug, "rope: ", position.size(),
        " positions for x ", shape_text(x));
  const Tensor& cos = table.cos.view;
  check_same("rope", "cos", cos, "sin", table.sin.view);
  check(cos.cols() == x.cols() / heads / 2, Code::bug, "rope: x ", shape_text(x), " of ", heads,
        " heads, table ", shape_text(cos));
  for (const int32_t p : position) {
    check(p >= 0 && p < cos.rows(), Code::bug, "rope: position ", p, ", table ", shape_text(cos));
  }
  do_rope(x, heads, position, table);
}

void Backend::add(Tensor x, Tensor y) const {
  check_f32("add", "x", x);
  check_f32("add", "y", y);
  check(x.cols() == y.cols() && (y.rows() ? x.rows() % y.rows() == 0 : x.rows() == 0), Code::bug,
        "add: x ", shape_text(x), ", y ", shape_text(y));
  do_add(x, y);
}

void Backend::copy(Tensor x, Tensor out) const {
  check_same("copy", "x", x, "out", out);
  do_copy(x, out);
}

void Backend::kv_store(Tensor key, Tensor value, const Rows& rows, const KvLayer& cache) const {
  check_same("kv_store", "key", key, "value", value);
  check_cache("kv_store", rows, cache);
  check(key.rows() == rows.count() && key.cols() == int64_t{cache.heads} * cache.width, Code::bug,
        "kv_store: key ", shape_text(key), " for ", rows.count(), " rows and ", cache.heads,
        " heads of ", cache.width);
  for (size_t r = 0; r < rows.position.size(); ++r) {
    const int64_t place = rows.sequence[r] * rows.blocks_per_sequence + rows.position[r] / kKvBlock;
    const int64_t block = rows.blocks[static_cast<size_t>(place)];
    check(block >= 0 && block < cache.blocks, Code::bug, "kv_store: row ", r, " writes to block ",
          block, " of ", cache.blocks);
  }
  do_kv_store(key, value, rows, cache);
}

void Backend::attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
                     Tensor out) const {
  check_same("attend", "q", q, "out", out);
  check_blocks("attend", rows, cache);
  check(heads > 0 && heads % cache.heads == 0, Code::bug, "attend: ", heads, " query heads for ",
        cache.heads, " key/value heads");
  check(q.rows() == rows.count() && q.cols() == int64_t{heads} * cache.width, Code::bug,
        "attend: q ", shape_text(q), " for ", rows.count(), " rows and ", heads, " heads of ",
        cache.width);
  do_attend(q, rows, cache, heads, scale, out);
}

void Backend::attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads, float scale,
                          Tensor out) const {
  check_same("attend_full", "q", q, "k", k);
  check_same("attend_full", "q", q, "v", v);
  check_same("attend_full", "q", q, "out", out);
  check(tokens > 0 && q.rows() % tokens == 0 && heads > 0 && q.cols() % heads == 0, Code::bug,
        "attend_full: q ", shape_text(q), " as images of ", tokens, " rows, ", heads, " heads");
  do_attend_full(q, k, v, tokens, heads, scale, out);
}

void Backend::conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                     const Pause& between) const {
  check_image("conv2d", "x", x);
  check_image("conv2d", "out", out);
  check_weight("conv2d", conv.weight);
  check_format("conv2d", conv.weight.dtype);
  check(conv.kernel > 0 && conv.stride > 0 && conv.pad_before >= 0 && conv.pad_after >= 0 &&
            (epilogue == Epilogue::store || epilogue == Epilogue::add) &&
            conv.weight.additions.empty(),
        Code::bug, "conv2d: kernel ", conv.kernel, ", stride ", conv.stride, ", pads ",
        conv.pad_before, " and ", conv.pad_after);
  const int64_t reach = conv.kernel - conv.pad_before - conv.pad_after;
  check(x.shape[1] >= reach && x.shape[2] >= reach, Code::bug, "conv2d: x ", shape_text(x),
        " under kernel ", conv.kernel);
  check(conv.weight.inputs == int64_t{conv.kernel} * conv.kernel * x.shape[3] &&
            out.shape[0] == x.shape[0] && out.shape[1] == conv.output_size(x.shape[1]) &&
            out.shape[2] == conv.output_size(x.shape[2]) && out.shape[3] == conv.weight.outputs,
        Code::bug, "conv2d: x ", shape_text(x), ", weight [", conv.weight.outputs, ", ",
        conv.weight.inputs, "], kernel ", conv.kernel, ", out ", shape_text(out));
  check(x.data != out.data || x.count() == 0, Code::bug, "conv2d: x and out share memory");
  do_conv2d(x, conv, out, epilogue, between);
}

void Backend::group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps, bool silu,
                         Tensor out) const {
  check_image("group_norm", "x", x);
  check_image("group_norm", "out", out);
  check_same("group_norm", "x", x, "out", out);
  check_vector("group_norm", "weight", weight, x.cols());
  check_vector("group_norm", "bias", bias, x.cols());
  check(groups > 0 && x.cols() % groups == 0, Code::bug, "group_norm: ", groups, " groups of ",
        shape_text(x));
  do_group_norm(x, weight, bias, groups, eps, silu, out);
}

void Backend::upsample2x(Tensor x, Tensor out) const {
  check_image("upsample2x", "x", x);
  check_image("upsample2x", "out", out);
  check(out.shape[0] == x.shape[0] && out.shape[1] == 2 * x.shape[1] &&
            out.shape[2] == 2 * x.shape[2] && out.shape[3] == x.shape[3],
        Code::bug, "upsample2x: x ", shape_text(x), ", out ", shape_text(out));
  do_upsample2x(x, out);
}

void Backend::nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const {
  check_f32("nearest_code", "x", x);
  check_f32("nearest_code", "codebook", codebook);
  constexpr int64_t kMostCodes = int64_t{1} << 24;  // an index must be exact in f32
  check(x.cols() == codebook.cols() && x.rows() == static_cast<int64_t>(ids.size()) &&
            codebook.rows() > 0 && codebook.rows() <= kMostCodes,
        Code::bug, "nearest_code: x ", shape_text(x), ", codebook ", shape_text(codebook),
        ", ids [", ids.size(), "]");
  do_nearest_code(x, codebook, ids);
}

}  // namespace janus
