// A plugin for QEMU's user mode (API 1: QEMU 4.2 to 8.1, in Debian 12 the package qemu-user) that counts the guest's
// instructions by class between hints: 0x60 starts, 0x62 ends a lap and starts the next, 0x61 stops. At exit it writes
// {"classes": [...], "laps": [[...], ...]} to the file that COUNT_OUT names. For one thread; repeatable to the
// instruction.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

// Of the plugin API, only what is used here; QEMU documents it in docs/devel/tcg-plugins.
extern "C" {
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t {
  const char* target_name;
  struct {
    int min, cur;
  } version;
  bool system_emulation;
  struct {
    int smp_vcpus, max_vcpus;
  } system;
};
using qemu_plugin_id_t = uint64_t;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, int operation, void* counter, uint64_t addend);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, void (*)(unsigned, void*), int flags, void* data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void* data);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
}

namespace {

enum Class { kFma, kSimd, kVectorLoad, kVectorStore, kLoad, kStore, kBranch, kOther, kClasses };
constexpr const char* kNames[kClasses] = {"fma",  "simd",  "vectorLoad", "vectorStore",
                                          "load", "store", "branch",     "other"};
enum Marker { kNone, kStart, kLap, kStop };

bool is64;
std::array<uint64_t, kClasses> counts, before;
std::vector<std::array<uint64_t, kClasses>> laps;

uint32_t bits(uint32_t x, int high, int low) { return x >> low & ((2u << (high - low)) - 1); }

// Vector multiply-adds and dot products; x is known to be SIMD or floating-point arithmetic.
bool is_fma64(uint32_t x) {
  if (bits(x, 31, 31)) return false;
  const uint32_t opcode = bits(x, 15, 11);
  if (bits(x, 28, 24) == 0x0e && bits(x, 10, 10)) {
    if (bits(x, 21, 21)) return opcode == 0x19 || opcode == 0x1d;  // FMLA, FMLS, FMLAL2; FMLAL
    return bits(x, 15, 15) ? opcode == 0x12 || opcode == 0x14      // SDOT, UDOT; SMMLA
                           : bits(x, 22, 22) && opcode == 0x01;    // FMLA of halves
  }
  if (bits(x, 28, 24) != 0x0f || bits(x, 10, 10)) return false;
  const uint32_t element = bits(x, 15, 12);
  return element == 1 || element == 5 || element == 14 || (bits(x, 23, 22) == 2 && (element & 7) == 0);
}

Class class64(uint32_t x) {
  const uint32_t group = bits(x, 28, 25);
  if ((group & 5) == 4) {
    const bool vector = bits(x, 26, 26);
    bool load = bits(x, 22, 22);
    if (bits(x, 29, 27) == 3 && !bits(x, 24, 24)) load = true;  // literal
    if (bits(x, 29, 27) == 7 && !vector) load = bits(x, 23, 22) != 0;
    return vector ? load ? kVectorLoad : kVectorStore : load ? kLoad : kStore;
  }
  if ((group & 7) == 7) return is_fma64(x) ? kFma : kSimd;
  return (group & 14) == 10 && (x & 0xfffff01f) != 0xd503201f ? kBranch : kOther;
}

// VFMA, VMLA and their negations, whole or by scalar; x is SIMD arithmetic in A32's encoding.
bool is_fma32(uint32_t x) {
  if (!bits(x, 23, 23)) {
    return !bits(x, 24, 24) && ((bits(x, 11, 8) == 12 && bits(x, 4, 4)) || (bits(x, 11, 8) == 13 && bits(x, 4, 4)));
  }
  return bits(x, 21, 20) != 3 && bits(x, 6, 6) && !bits(x, 4, 4) && (bits(x, 11, 8) | 4) == 5;
}

Class class32(uint32_t x) {
  const bool load = bits(x, 20, 20);
  if (bits(x, 31, 25) == 0x79) return is_fma32(x) ? kFma : kSimd;
  if (bits(x, 31, 24) == 0xf4) return bits(x, 21, 21) ? kVectorLoad : kVectorStore;
  if (bits(x, 11, 9) == 5 && bits(x, 27, 25) == 6 && bits(x, 24, 21) != 2) return load ? kVectorLoad : kVectorStore;
  if (bits(x, 11, 9) == 5 && (bits(x, 27, 25) == 6 || bits(x, 27, 24) == 14)) return kSimd;
  if (bits(x, 27, 25) == 5) return kBranch;
  const bool word = bits(x, 27, 26) == 1 && !(bits(x, 25, 25) && bits(x, 4, 4));
  const bool half = bits(x, 27, 25) == 0 && bits(x, 7, 7) && bits(x, 4, 4) && bits(x, 6, 5);
  return word || half || bits(x, 27, 25) == 4 ? load ? kLoad : kStore : kOther;
}

Class class16(uint32_t x) {
  if (bits(x, 15, 11) == 9) return kLoad;
  if (bits(x, 15, 12) == 5) return bits(x, 11, 9) < 3 ? kStore : kLoad;
  if (bits(x, 15, 13) == 3 || bits(x, 15, 12) == 8 || bits(x, 15, 12) == 9 || bits(x, 15, 12) == 12) {
    return bits(x, 11, 11) ? kLoad : kStore;
  }
  if (bits(x, 15, 9) == 0x5a || bits(x, 15, 9) == 0x5e) return bits(x, 11, 11) ? kLoad : kStore;
  const bool compare = bits(x, 15, 12) == 11 && bits(x, 10, 10) == 0 && bits(x, 8, 8);
  return bits(x, 15, 12) == 13 || bits(x, 15, 11) == 28 || bits(x, 15, 8) == 0x47 || compare ? kBranch : kOther;
}

// first: the halfword that T32's wide instructions begin with.
Class class_wide(uint32_t first, uint32_t second) {
  const uint32_t x = first << 16 | second;
  if (bits(x, 31, 29) == 7 && bits(x, 27, 24) == 15)
    return class32(0xf2000000 | bits(x, 28, 28) << 24 | (x & 0xffffff));
  if (bits(x, 31, 24) == 0xf9 && !bits(x, 20, 20)) return bits(x, 21, 21) ? kVectorLoad : kVectorStore;
  if (bits(x, 31, 26) == 0x3b) return class32(x);
  if (bits(x, 31, 25) == 0x74 || bits(x, 31, 25) == 0x7c) return bits(x, 20, 20) ? kLoad : kStore;
  return bits(x, 31, 27) == 30 && bits(x, 15, 15) && x >> 8 != 0xf3af80 ? kBranch : kOther;
}

Marker marker(uint32_t x) {
  for (const auto& [hint, mark] : {std::pair(0x60u, kStart), std::pair(0x61u, kStop), std::pair(0x62u, kLap)}) {
    const bool found =
        is64 ? x == (0xd503201f | hint << 5) : x == (0xe320f000 | hint) || x == (0x8000f3af | hint << 16);
    if (found) return mark;
  }
  return kNone;
}

void mark(unsigned, void* data) {
  const auto kind = static_cast<Marker>(reinterpret_cast<uintptr_t>(data));
  if (kind != kStart) {
    auto& lap = laps.emplace_back();
    for (int i = 0; i < kClasses; i++) lap[i] = counts[i] - before[i];
  }
  before = counts;
}

void translate(qemu_plugin_id_t, qemu_plugin_tb* block) {
  const size_t n = qemu_plugin_tb_n_insns(block);
  std::vector<uint32_t> words(n);
  // A block is T32 where all its words could begin a wide instruction: one of 16 bits settles it.
  bool thumb = !is64, narrow = false;
  for (size_t i = 0; i < n; i++) {
    qemu_plugin_insn* const insn = qemu_plugin_tb_get_insn(block, i);
    const size_t size = qemu_plugin_insn_size(insn);
    std::memcpy(&words[i], qemu_plugin_insn_data(insn), size < 4 ? size : 4);
    narrow = narrow || size == 2;
    thumb = thumb && (size == 2 || (words[i] & 0xffff) >= 0xe800);
  }
  for (size_t i = 0; i < n; i++) {
    qemu_plugin_insn* const insn = qemu_plugin_tb_get_insn(block, i);
    const uint32_t x = words[i];
    const Class kind = is64                               ? class64(x)
                       : qemu_plugin_insn_size(insn) == 2 ? class16(x)
                       : thumb || narrow                  ? class_wide(x & 0xffff, x >> 16)
                                                          : class32(x);
    qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &counts[kind], 1);
    if (const Marker found = marker(x)) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, 0, reinterpret_cast<void*>(static_cast<uintptr_t>(found)));
    }
  }
}

void write(qemu_plugin_id_t, void*) {
  const char* const name = std::getenv("COUNT_OUT");
  std::FILE* const file = name ? std::fopen(name, "w") : nullptr;
  if (!file) return;
  std::fputs("{\"classes\":[", file);
  for (int i = 0; i < kClasses; i++) std::fprintf(file, "%s\"%s\"", i ? "," : "", kNames[i]);
  std::fputs("],\"laps\":[", file);
  for (size_t j = 0; j < laps.size(); j++) {
    for (int i = 0; i < kClasses; i++) {
      std::fprintf(file, "%s%llu", i ? "," : j ? ",[" : "[", static_cast<unsigned long long>(laps[j][i]));
    }
    std::fputs("]", file);
  }
  std::fputs("]}\n", file);
  std::fclose(file);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                                          int, char**) {
  is64 = std::strcmp(info->target_name, "aarch64") == 0;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
  qemu_plugin_register_atexit_cb(id, write, nullptr);
  return 0;
}
