#include "dispatch.hpp"

#include <chrono>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "asymmetric_kernel.hpp"

namespace hammingway {

namespace {

struct Features {
  bool popcnt = false, avx2 = false, avx512 = false, vbmi = false, vpopcntdq = false;
};

#if defined(__x86_64__)
// Register state the operating system saves: a processor may have AVX while the system forbids it.
uint64_t saved_state() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

Features detect() {
  Features found;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  found.popcnt = c & bit_POPCNT;
  const bool saves = c & bit_OSXSAVE;
  const uint64_t state = saves ? saved_state() : 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;
  found.avx2 = (state & kYmm) == kYmm && (b & bit_AVX2) && found.popcnt;
  const uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  found.avx512 = found.avx2 && (state & kZmm) == kZmm && (b & wanted) == wanted;
  found.vbmi = found.avx512 && (c & bit_AVX512VBMI);
  found.vpopcntdq = found.avx512 && (c & bit_AVX512VPOPCNTDQ);
  return found;
}
#else
Features detect() { return {}; }
#endif

const Features& features() {
  static const Features found = detect();
  return found;
}

#if defined(__x86_64__)
// As AVX-512, with look-ups in larger tables.
const Kernel* avx512vbmi_kernel() {
  static const Kernel kernel = [] {
    Kernel same = *avx512_kernel();
    same.name = "avx512vbmi";
    same.asymmetric = &avx512vbmi_asymmetric;
    return same;
  }();
  return &kernel;
}
#endif

std::vector<const Kernel*> list_kernels() {
  std::vector<const Kernel*> kernels;
#if defined(__x86_64__)
  if (features().vbmi) kernels.push_back(avx512vbmi_kernel());
  if (features().avx512) kernels.push_back(avx512_kernel());
  if (features().avx2) kernels.push_back(avx2_kernel());
#elif defined(__aarch64__)
  kernels.push_back(neon_kernel());
#endif
  kernels.push_back(baseline_kernel());
  return kernels;
}

}  // namespace

const std::vector<const Kernel*>& available_kernels() {
  static const std::vector<const Kernel*> kernels = list_kernels();
  return kernels;
}

const Kernel* find_kernel(const std::string& name) {
  for (const Kernel* kernel : available_kernels())
    if (name == kernel->name) return kernel;
  return nullptr;
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
  if (features().popcnt) names.emplace_back("popcnt");
  if (features().avx2) names.emplace_back("avx2");
  if (features().avx512) names.emplace_back("avx512bw");
  if (features().vbmi) names.emplace_back("avx512vbmi");
  if (features().vpopcntdq) names.emplace_back("avx512vpopcntdq");
#if defined(__aarch64__)
  names.emplace_back("neon");
#endif
  return names;
}

double measure_clock() {
  // The best of many short bursts: one that is interrupted says nothing about the clock.
  constexpr int kBursts = 200, kSteps = 40'000;
  double least = 1;
  for (int burst = 0; burst < kBursts; ++burst) {
    uint64_t x = 1;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kSteps; i += 8) {
      // the empty statement keeps the compiler from folding the chain into one addition
#define HAMMINGWAY_ADD x += 3; __asm__ volatile("" : "+r"(x));
      HAMMINGWAY_ADD HAMMINGWAY_ADD HAMMINGWAY_ADD HAMMINGWAY_ADD
      HAMMINGWAY_ADD HAMMINGWAY_ADD HAMMINGWAY_ADD HAMMINGWAY_ADD
#undef HAMMINGWAY_ADD
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (seconds.count() < least) least = seconds.count();
  }
  return kSteps / least;
}

}  // namespace hammingway
