// The extractor's index: which records there are, in which order, when a layer says one thing twice.
#include <algorithm>

#include "extractor.hh"

namespace wb {
namespace {

constexpr uint64_t kMaxRepeats = 65536;

uint32_t number(std::string_view bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Of records that we have made ourselves (record.cc): length, kind, type, … the path's size at 40, the path behind the head.
size_t recordLength(std::string_view bytes, size_t at) { return number(bytes, at); }
std::string_view recordPath(std::string_view record) { return record.substr(kRecordHead, number(record, 40)); }
bool isFolder(std::string_view record) { return Kind(record[4]) == Kind::Set && Type(record[5]) == Type::Directory; }

}  // namespace

void Extractor::drop(size_t at) {
  amended_[at] = "";
}

void Extractor::note(const Record& record) {
  const auto it = seen_.find(record.path);
  size_t at = index_.size();
  if (it != seen_.end()) {
    // Some tools write a path twice, and the last one counts; a flood of them, or a change of kind, is an attack.
    if (++repeats_ > kMaxRepeats) throw Failure("LAYER_DUPLICATE", "too many entries have the same name:", record.path);
    Seen& before = it->second;
    const bool isFolder = record.type == Type::Directory, wasFolder = before.kind == Kind::Set && before.type == Type::Directory;
    if (before.kind == Kind::Set && isFolder != wasFolder) {
      throw Failure("LAYER_DUPLICATE", "an entry changes between folder and not within one layer:", record.path);
    }
    writers_.settle();
    if (before.kind == Kind::Delete) {
      drop(before.at);
      if (isFolder) cleared_.insert(record.path);
    } else if (isFolder) {
      // In place: what is inside already follows its first record.
      std::string bytes;
      encodeRecord(record, bytes);
      amended_[before.at] = std::move(bytes);
      return;
    } else {
      drop(before.at);
    }
  }
  seen_[record.path] = {at, Kind::Set, record.type};
  encodeRecord(record, index_);
  if (record.flags & kHasDigest) digest_ = &patches_.emplace_back(Patch{at + recordLength(index_, at), {}}).digest;
}

/// The head, and the records as they stand at the end, each cleared folder followed by its mark.
std::string Extractor::records() {
  // The digest is the last thing in a record of an index.
  for (const Patch& patch : patches_) std::memcpy(&index_[patch.end - patch.digest.size()], patch.digest.data(), patch.digest.size());
  if (isSorted_ && amended_.empty() && cleared_.empty()) return std::move(index_);
  struct Item {
    std::string_view path, bytes;
    bool isCleared;
  };
  std::vector<Item> items;
  for (size_t at = kIndexHead.size(), next; at < index_.size(); at = next) {
    next = at + recordLength(index_, at);
    const auto amended = amended_.find(at);
    const std::string_view bytes = amended == amended_.end() ? std::string_view(index_).substr(at, next - at) : amended->second;
    if (bytes.empty()) continue;
    const std::string_view path = recordPath(bytes);
    items.push_back({path, bytes, isFolder(bytes) && cleared_.count(std::string(path)) != 0});
  }
  if (!isSorted_) {
    // Parents before children: '/' counts less than any other byte.
    const auto less = [](unsigned char a, unsigned char b) { return (a == '/' ? 0 : a) < (b == '/' ? 0 : b); };
    std::stable_sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
      return std::lexicographical_compare(a.path.begin(), a.path.end(), b.path.begin(), b.path.end(), less);
    });
  }
  std::string out;
  out.reserve(index_.size());
  out += kIndexHead;
  for (const Item& item : items) {
    out += item.bytes;
    if (!item.isCleared) continue;
    Record mark;
    mark.kind = Kind::Clear;
    mark.path = item.path;
    encodeRecord(mark, out);
  }
  return out;
}

}  // namespace wb
