// Writes a sorted table, of entries from stdin: the lengths of key and value, 4 bytes each, and then these.
//   g++ table.cc -lleveldb -o table && ./table FILE BYTES_PER_BLOCK < entries
// Debian: libleveldb-dev. tensor_bundle.py does it.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include <leveldb/env.h>
#include <leveldb/table_builder.h>

namespace {

bool read(std::string* bytes) {
  uint32_t length = 0;
  if (!std::cin.read(reinterpret_cast<char*>(&length), sizeof length)) return false;
  bytes->resize(length);
  return length == 0 || std::cin.read(&(*bytes)[0], length);
}

}  // namespace

int main(int, char** argv) {
  leveldb::WritableFile* file = nullptr;
  if (!leveldb::Env::Default()->NewWritableFile(argv[1], &file).ok()) return 1;
  leveldb::Options options;
  options.block_size = std::atoi(argv[2]);
  // As TensorFlow does.
  options.compression = leveldb::kNoCompression;
  leveldb::TableBuilder table(options, file);
  std::string key, value;
  while (read(&key) && read(&value)) table.Add(key, value);
  return table.Finish().ok() && file->Close().ok() ? 0 : 1;
}
