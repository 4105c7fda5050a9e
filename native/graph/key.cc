#include "graph/key.h"

#include <cstring>
#include <random>

namespace sn {
namespace {

uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

struct SipState {
  uint64_t a, b, c, d;

  void round() {
    a += b;
    c += d;
    b = rotate(b, 13) ^ a;
    d = rotate(d, 16) ^ c;
    a = rotate(a, 32);
    c += b;
    a += d;
    b = rotate(b, 17) ^ c;
    d = rotate(d, 21) ^ a;
    c = rotate(c, 32);
  }
  void absorb(uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
  uint64_t squeeze() {
    for (int i = 0; i < 4; i++) round();
    return a ^ b ^ c ^ d;
  }
};

class Writer {
 public:
  template <typename T>
  void number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void words(const std::string& words) {
    number(words.size());
    text_ += words;
  }
  void parameter(const Parameter& parameter, const Hash128& secret) {
    words(parameter.name);
    number(parameter.type);
    number(parameter.size);
    const size_t width = parameter.type == DataType::kF32 ? 4 : 2;
    number(siphash(parameter.data, parameter.size * width, secret));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Hash128 draw_secret() {
  std::random_device random;
  const auto word = [&] { return static_cast<uint64_t>(random()) << 32 | random(); };
  return {word(), word()};
}

}  // namespace

Hash128 siphash(const void* data, size_t size, const Hash128& secret) {
  SipState state{secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d ^ 0xee, secret[0] ^ 0x6c7967656e657261,
                 secret[1] ^ 0x7465646279746573};
  const char* from = static_cast<const char*>(data);
  uint64_t word;
  for (size_t rest = size; rest >= sizeof word; rest -= sizeof word, from += sizeof word) {
    std::memcpy(&word, from, sizeof word);
    state.absorb(word);
  }
  word = 0;
  if (size % sizeof word) std::memcpy(&word, from, size % sizeof word);
  state.absorb(word | static_cast<uint64_t>(size) << 56);
  state.c ^= 0xee;
  const uint64_t first = state.squeeze();
  state.b ^= 0xdd;
  return {first, state.squeeze()};
}

std::string content_key(const Graph& graph) {
  static const Hash128 secret = draw_secret();
  Writer writer;
  writer.number(graph.layers.size());
  for (const Layer& layer : graph.layers) {
    writer.words(layer.name);
    writer.number(layer.kind);
    for (const int value : {layer.input, layer.input2, layer.channels, layer.kernel, layer.stride, layer.groups,
                            layer.padding.begin, layer.padding.end, int{layer.padding.ceil}, int{layer.padding.same},
                            int{layer.padding.reflect}, int{layer.count_padding}}) {
      writer.number(value);
    }
    writer.number(layer.epsilon);
    for (const Parameter* parameter :
         {&layer.weight, &layer.bias, &layer.gamma, &layer.beta, &layer.mean, &layer.variance}) {
      writer.parameter(*parameter, secret);
    }
  }
  for (const int output : graph.outputs) writer.number(output);
  const Hash128 hash = siphash(writer.text().data(), writer.text().size(), secret);
  return std::string(reinterpret_cast<const char*>(hash.data()), sizeof hash);
}

}  // namespace sn
