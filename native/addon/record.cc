// Records to bytes and back.
#include "record.hh"

#include "failure.hh"

namespace wb {
namespace {

template <class T>
void put(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

struct Reader {
  std::string_view left;
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view bytes(size_t size) {
    if (size > left.size()) throw Failure("LAYER_RECORD", "a record of a layer is cut short");
    const std::string_view out = left.substr(0, size);
    left.remove_prefix(size);
    return out;
  }
};

}  // namespace

size_t encodeRecord(const Record& record, std::string& out) {
  const size_t start = out.size();
  size_t digestAt = 0;
  put<uint32_t>(out, 0);
  put<uint8_t>(out, uint8_t(record.kind));
  put<uint8_t>(out, uint8_t(record.type));
  put<uint16_t>(out, record.flags);
  put<uint32_t>(out, record.mode);
  put<uint32_t>(out, record.uid);
  put<uint32_t>(out, record.gid);
  put<uint32_t>(out, record.mtime.nanos);
  put<int64_t>(out, record.mtime.seconds);
  put<uint64_t>(out, record.size);
  put<uint32_t>(out, uint32_t(record.path.size()));
  put<uint32_t>(out, uint32_t(record.target.size()));
  out += record.path;
  out += record.target;
  if (record.flags & kHasDevice) {
    put<uint32_t>(out, record.major);
    put<uint32_t>(out, record.minor);
  }
  if (record.flags & kHasPax) {
    put<uint32_t>(out, uint32_t(record.pax.size()));
    for (const auto& [key, value] : record.pax) {
      put<uint32_t>(out, uint32_t(key.size()));
      put<uint32_t>(out, uint32_t(value.size()));
      out += key;
      out += value;
    }
  }
  if (record.flags & kHasDigest) {
    digestAt = out.size();
    out.append(reinterpret_cast<const char*>(record.digest.data()), record.digest.size());
  }
  if (record.flags & kHasContent) {
    put<uint8_t>(out, uint8_t(record.content));
    put<uint32_t>(out, uint32_t(record.contentBytes.size()));
    out += record.contentBytes;
  }
  if (record.flags & kHasStat) {
    put<uint64_t>(out, record.inode.ino);
    put<int64_t>(out, record.inode.ctime.seconds);
    put<uint32_t>(out, record.inode.ctime.nanos);
    put<uint32_t>(out, record.inode.nlink);
    put<uint64_t>(out, record.inode.dev);
  }
  const uint32_t length = uint32_t(out.size() - start);
  std::memcpy(&out[start], &length, sizeof length);
  return digestAt;
}

Record decodeRecord(std::string_view& bytes) {
  Reader outer{bytes};
  const auto length = outer.take<uint32_t>();
  if (length < kRecordHead || length > kMaxRecord) throw Failure("LAYER_RECORD", "a record of a layer has no possible length");
  Reader in{outer.bytes(length - sizeof length)};
  Record record;
  record.kind = Kind(in.take<uint8_t>());
  record.type = Type(in.take<uint8_t>());
  record.flags = in.take<uint16_t>();
  record.mode = in.take<uint32_t>();
  record.uid = in.take<uint32_t>();
  record.gid = in.take<uint32_t>();
  record.mtime.nanos = in.take<uint32_t>();
  record.mtime.seconds = in.take<int64_t>();
  record.size = in.take<uint64_t>();
  const auto pathSize = in.take<uint32_t>();
  const auto targetSize = in.take<uint32_t>();
  record.path = in.bytes(pathSize);
  record.target = in.bytes(targetSize);
  if (record.kind < Kind::Set || record.kind > Kind::Clear || record.type > Type::Block) {
    throw Failure("LAYER_RECORD", "a record of a layer has an unknown kind", record.path);
  }
  if (record.flags & kHasDevice) {
    record.major = in.take<uint32_t>();
    record.minor = in.take<uint32_t>();
  }
  if (record.flags & kHasPax) {
    const auto count = in.take<uint32_t>();
    for (uint32_t i = 0; i < count; i++) {
      const auto keySize = in.take<uint32_t>();
      const auto valueSize = in.take<uint32_t>();
      const std::string_view key = in.bytes(keySize);
      record.pax.emplace_back(key, in.bytes(valueSize));
    }
  }
  if (record.flags & kHasDigest) std::memcpy(record.digest.data(), in.bytes(32).data(), 32);
  if (record.flags & kHasContent) {
    record.content = ContentKind(in.take<uint8_t>());
    record.contentBytes = in.bytes(in.take<uint32_t>());
  }
  if (record.flags & kHasStat) {
    record.inode.ino = in.take<uint64_t>();
    record.inode.ctime.seconds = in.take<int64_t>();
    record.inode.ctime.nanos = in.take<uint32_t>();
    record.inode.nlink = in.take<uint32_t>();
    record.inode.dev = in.take<uint64_t>();
  }
  bytes = outer.left;
  return record;
}

}  // namespace wb
