// Names of contents: by them models of different files find each other, so what differs must never get the same.
#include "graph/key.h"

#include <numeric>
#include <set>

#include "networks.h"

namespace sn::test {
namespace {

void vectors() {
  // What OpenSSL gives: openssl mac -macopt hexkey:000102...0F -macopt size:16 SIPHASH, of the bytes 0, 1, 2 ...
  const std::vector<std::pair<size_t, const char*>> expected = {
      {0, "A3817F04BA25A8E66DF67214C7550293"},  {1, "DA87C1D86B99AF44347659119B22FC45"},
      {7, "A1F1EBBED8DBC153C0B84AA61FF08239"},  {8, "3B62A9BA6258F5610F83E264F31497B4"},
      {15, "5493E99933B0A8117E08EC0F97CFC3D9"}, {63, "5150D1772F50834A503E069A973FBD7C"},
  };
  unsigned char bytes[64];
  std::iota(bytes, bytes + sizeof bytes, static_cast<unsigned char>(0));
  Hash128 secret;
  std::memcpy(secret.data(), bytes, sizeof secret);
  for (const auto& [size, text] : expected) {
    begin_case("%zu bytes", size);
    const Hash128 hash = siphash(bytes, size, secret);
    unsigned char made[sizeof hash];
    std::memcpy(made, hash.data(), sizeof made);
    std::string hex;
    for (const unsigned char byte : made) {
      hex += "0123456789ABCDEF"[byte >> 4];
      hex += "0123456789ABCDEF"[byte & 15];
    }
    if (hex != text) fail("%s, expected %s", hex.c_str(), text);
  }
}

void contents() {
  Random random(3);
  const RandomNetwork network(random);
  const std::string key = content_key(network.graph);
  std::set<std::string> keys = {key};
  const auto changed = [&](const char* what, const auto& change) {
    begin_case("%s", what);
    Graph graph = network.graph;
    change(graph);
    if (!keys.insert(content_key(graph)).second) fail("has the key of another graph");
  };
  changed("other outputs", [](Graph& graph) { graph.outputs.pop_back(); });
  changed("a layer less", [](Graph& graph) { graph.layers.pop_back(); });
  for (size_t i = 1; i < network.graph.layers.size(); i++) {
    const auto layer = [&](const char* what, const auto& change) {
      changed(what, [&](Graph& graph) { change(graph.layers[i]); });
    };
    layer("another name", [](Layer& l) { l.name += "x"; });
    layer("another kind",
          [](Layer& l) { l.kind = l.kind == LayerKind::kRelu ? LayerKind::kSigmoid : LayerKind::kRelu; });
    layer("another input", [](Layer& l) { l.input--; });
    layer("another second input", [](Layer& l) { l.input2--; });
    layer("more channels", [](Layer& l) { l.channels++; });
    layer("a larger kernel", [](Layer& l) { l.kernel++; });
    layer("a larger stride", [](Layer& l) { l.stride++; });
    layer("more groups", [](Layer& l) { l.groups++; });
    layer("padding before", [](Layer& l) { l.padding.begin++; });
    layer("padding after", [](Layer& l) { l.padding.end++; });
    layer("rounding up", [](Layer& l) { l.padding.ceil ^= true; });
    layer("padding as TensorFlow", [](Layer& l) { l.padding.same ^= true; });
    layer("reflecting padding", [](Layer& l) { l.padding.reflect ^= true; });
    layer("counted padding", [](Layer& l) { l.count_padding ^= true; });
    layer("another epsilon", [](Layer& l) { l.epsilon += 1; });
    for (Parameter Layer::*role :
         {&Layer::weight, &Layer::bias, &Layer::gamma, &Layer::beta, &Layer::mean, &Layer::variance}) {
      const Parameter& parameter = network.graph.layers[i].*role;
      if (!parameter.data) continue;
      layer("a parameter of another name", [&](Layer& l) { (l.*role).name += "x"; });
      layer("a parameter of another type", [&](Layer& l) { (l.*role).type = DataType::kF16; });
      layer("a parameter less", [&](Layer& l) { l.*role = {}; });
      std::vector<float> values(parameter.size);
      std::memcpy(values.data(), parameter.data, values.size() * sizeof(float));
      const auto same = [&] {
        Graph graph = network.graph;
        (graph.layers[i].*role).data = values.data();
        return content_key(graph) == key;
      };
      begin_case("a copy of '%s'", parameter.name.c_str());
      if (!same()) fail("has another key");
      for (const size_t at : {size_t{0}, values.size() - 1}) {
        const float kept = values[at];
        values[at] = kept + 1;
        begin_case("'%s', another value at %zu", parameter.name.c_str(), at);
        if (same()) fail("has the same key");
        values[at] = kept;
      }
    }
  }
}

const Test kTests[] = {
    {"SipHash is that of others", vectors},
    {"equal graphs and parameters have one key, and whatever differs has another", contents},
};

}  // namespace
}  // namespace sn::test
