// Times every operation over op_cases.h, the tests' own shape table:
//
//   bench_ops [--threads=N] [--isa=LEVEL] [Google Benchmark's flags]
//
// Rates are per second of processor time, all threads together, and stand beside their share of
// what one core of this machine was just measured to do in a second of its time: multiply-adds for
// products and attention, bytes read for what streams memory. Neighbours on a shared machine take
// wall time away and leave processor time as it is, so these shares hold in busy minutes too.
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <iostream>
#include <memory>
#include <string>

#include "base/cpu.h"
#include "kernels/open.h"
#include "op_cases.h"
#include "op_inputs.h"
#include "peaks.h"

namespace janus {
namespace {

struct Bench {
  std::unique_ptr<Backend> backend;
  Peaks peaks;

  void report(benchmark::State& state, double flops, double bytes) const {
    using benchmark::Counter;
    const auto rate = Counter::kIsIterationInvariantRate;
    state.counters["GFLOP/s"] = Counter(flops / 1e9, rate);
    state.counters["of_peak"] = Counter(flops / peaks.flops, rate);
    state.counters["GB/s"] = Counter(bytes / 1e9, rate);
    state.counters["of_read"] = Counter(bytes / peaks.bytes, rate);
  }
};

template <class Run>
void time(benchmark::State& state, const Run& run) {
  for ([[maybe_unused]] auto _ : state) run();
}

void linear(benchmark::State& state, const Bench& bench, const LinearCase& c) {
  const OwnedTensor x = random_tensor(1, {c.rows, c.inputs});
  const OwnedTensor bias = random_tensor(3, {c.outputs});
  const Weight w = pack(*bench.backend, c.dtype, random_tensor(2, {c.outputs, c.inputs}).view,
                        c.bias ? bias.view : Tensor());
  const OwnedTensor out(Dtype::f32, {c.rows, c.outputs});
  time(state, [&] { bench.backend->linear(x.view, w, out.view, c.epilogue); });
  bench.report(state, 2.0 * static_cast<double>(c.rows * c.inputs * c.outputs),
               static_cast<double>(w.data.bytes()));
}

void conv2d(benchmark::State& state, const Bench& bench, const ConvCase& c) {
  const OwnedTensor x = random_tensor(11, {c.images, c.height, c.width, c.channels});
  const int64_t inputs = int64_t{c.kernel} * c.kernel * c.channels;
  const Conv conv{pack(*bench.backend, c.dtype, random_tensor(12, {c.outputs, inputs}).view),
                  c.kernel, c.stride, c.pad_before, c.pad_after};
  const OwnedTensor out(
      Dtype::f32, {c.images, conv.output_size(c.height), conv.output_size(c.width), c.outputs});
  time(state, [&] { bench.backend->conv2d(x.view, conv, out.view, c.epilogue); });
  bench.report(state, 2.0 * static_cast<double>(out.view.count() * inputs),
               static_cast<double>(x.view.bytes() + out.view.bytes()));
}

void attend(benchmark::State& state, const Bench& bench, const AttendCase& c) {
  const Backend& backend = *bench.backend;
  TestCache cache(backend, c.dtype, c.kv_heads, c.width, c.sequences, c.length + c.rows);
  TestRows all, step;
  double seen = 0;
  for (int32_t s = 0; s < c.sequences; ++s) {
    const int64_t length = std::max<int64_t>(0, c.length - 37 * s);
    for (int64_t p = 0; p < length + c.rows; ++p) all.add(s, p);
    for (int64_t p = 0; p < c.rows; ++p) step.add(s, length + p);
    for (int64_t p = 0; p < c.rows; ++p) seen += static_cast<double>(length + p + 1);
  }
  const auto total = static_cast<int64_t>(all.position.size());
  const OwnedTensor kv = random_tensor(21, {total, int64_t{c.kv_heads} * c.width});
  const OwnedTensor q = random_tensor(23, {c.rows * c.sequences, int64_t{c.heads} * c.width});
  const OwnedTensor out(Dtype::f32, {q.view.rows(), q.view.cols()});
  backend.kv_store(kv.view, kv.view, all.in(cache), cache.layer);
  time(state,
       [&] { backend.attend(q.view, step.in(cache), cache.layer, c.heads, 0.1f, out.view); });
  bench.report(state, 4.0 * seen * c.heads * c.width,
               2.0 * static_cast<double>(total * kv.view.cols() * traits(c.dtype).bytes));
}

void attend_full(benchmark::State& state, const Bench& bench, const AttendFullCase& c) {
  const int64_t cols = c.heads * c.width;
  const OwnedTensor qkv = random_tensor(31, {c.images * c.tokens, 3 * cols});
  const OwnedTensor out(Dtype::f32, {c.images * c.tokens, cols});
  time(state, [&] {
    bench.backend->attend_full(qkv.view.columns(0, cols), qkv.view.columns(cols, cols),
                               qkv.view.columns(2 * cols, cols), c.tokens, c.heads, 0.1f, out.view);
  });
  bench.report(state, 4.0 * static_cast<double>(out.view.count() * c.tokens),
               static_cast<double>(qkv.view.bytes()));
}

void rows(benchmark::State& state, const Bench& bench, const RowCase& c, const std::string& op) {
  const OwnedTensor x = random_tensor(41, {c.rows, 2 * c.width});
  const OwnedTensor weight = random_tensor(42, {c.width});
  const OwnedTensor out(Dtype::f32, {c.rows, c.width});
  const Tensor half = x.view.columns(0, c.width);
  time(state, [&] {
    if (op == "rms_norm") bench.backend->rms_norm(half, weight.view, 1e-6f, out.view);
    if (op == "layer_norm") {
      bench.backend->layer_norm(half, weight.view, weight.view, 1e-6f, out.view);
    }
    if (op == "swiglu") bench.backend->swiglu(x.view, out.view);
    if (op == "add") bench.backend->add(out.view, half);
  });
  bench.report(state, 0, static_cast<double>(x.view.bytes()));
}

void group_norm(benchmark::State& state, const Bench& bench, const GroupNormCase& c) {
  const OwnedTensor x = random_tensor(61, {c.images, c.height, c.width, c.channels});
  const OwnedTensor weight = random_tensor(62, {c.channels});
  OwnedTensor out(Dtype::f32, {c.images, c.height, c.width, c.channels});
  time(state, [&] {
    bench.backend->group_norm(x.view, weight.view, weight.view, c.groups, 1e-6f, c.silu, out.view);
  });
  bench.report(state, 0, 3.0 * static_cast<double>(x.view.bytes()));
}

void upsample(benchmark::State& state, const Bench& bench, const UpsampleCase& c) {
  const OwnedTensor x = random_tensor(64, {c.images, c.height, c.width, c.channels});
  const OwnedTensor out(Dtype::f32, {c.images, 2 * c.height, 2 * c.width, c.channels});
  time(state, [&] { bench.backend->upsample2x(x.view, out.view); });
  bench.report(state, 0, static_cast<double>(x.view.bytes() + out.view.bytes()));
}

void nearest(benchmark::State& state, const Bench& bench, const NearestCase& c) {
  const OwnedTensor x = random_tensor(81, {c.rows, c.width});
  const OwnedTensor codes = random_tensor(82, {c.codes, c.width});
  std::vector<int32_t> ids(static_cast<size_t>(c.rows));
  time(state, [&] { bench.backend->nearest_code(x.view, codes.view, ids); });
  bench.report(state, 2.0 * static_cast<double>(c.rows * c.codes * c.width), 0);
}

template <class Cases, class Run>
void add(const std::string& op, const Bench& bench, const Cases& cases, const Run& run) {
  for (const auto& c : cases) {
    benchmark::RegisterBenchmark((op + " | " + c.source).c_str(),
                                 [&bench, &c, run](benchmark::State& s) { run(s, bench, c); })
        ->Unit(benchmark::kMicrosecond)
        ->MeasureProcessCPUTime();
  }
}

void add_all(const Bench& bench) {
  add("linear", bench, kLinearCases, linear);
  add("conv2d", bench, kConvCases, conv2d);
  add("attend", bench, kAttendCases, attend);
  add("attend_full", bench, kAttendFullCases, attend_full);
  for (const std::string op : {"rms_norm", "layer_norm", "swiglu", "add"}) {
    add(op, bench, kRowCases,
        [op](benchmark::State& state, const Bench& b, const RowCase& c) { rows(state, b, c, op); });
  }
  add("group_norm", bench, kGroupNormCases, group_norm);
  add("upsample2x", bench, kUpsampleCases, upsample);
  add("nearest_code", bench, kNearestCases, nearest);
}

// Takes `--name=value` out of the arguments.
std::string take_flag(int& count, char** arguments, const std::string& name) {
  const std::string beginning = "--" + name + "=";
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.rfind(beginning, 0) != 0) continue;
    std::copy(arguments + i + 1, arguments + count, arguments + i);
    --count;
    return argument.substr(beginning.size());
  }
  return "";
}

}  // namespace
}  // namespace janus

int main(int argc, char** argv) {
  try {
    const std::string threads = janus::take_flag(argc, argv, "threads");
    const std::string isa = janus::take_flag(argc, argv, "isa");
    janus::Bench bench;
    bench.backend = janus::open_backend("cpu", threads.empty() ? 0 : std::stoi(threads), isa);
    bench.peaks = janus::measure_peaks(janus::choose_isa(isa));
    std::cout << bench.backend->name() << ", " << bench.backend->threads()
              << " threads; a core does " << bench.peaks.flops / 1e9 << " GFLOP/s and reads "
              << bench.peaks.bytes / 1e9 << " GB/s\n";
    janus::add_all(bench);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "bench_ops: " << e.what() << "\n";
    return 1;
  }
}
