// The extractor's index: which records there are, in which order, when a layer says one thing twice.
#include <algorithm>

#include "extractor.hh"

namespace wb {
namespace {

constexpr uint64_t kMaxRepeats = 65536;

}  // namespace

void Extractor::drop(size_t at) {
  amended_[at] = "";
  patches_.erase(at);
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
  if (record.flags & kHasDigest) {
    digest_ = &digests_.emplace_back();
    patches_[at] = digest_;
  }
}

/// The records as they stand at the end, each cleared folder followed by its mark.
std::string Extractor::records() {
  struct Item {
    std::string path, bytes;
    bool isCleared;
  };
  std::vector<Item> items;
  for (std::string_view rest = index_; !rest.empty();) {
    const size_t at = index_.size() - rest.size(), before = rest.size();
    const Record record = decodeRecord(rest);
    std::string bytes = index_.substr(at, before - rest.size());
    const auto amended = amended_.find(at);
    if (amended != amended_.end()) bytes = amended->second;
    if (bytes.empty()) continue;
    const auto patch = patches_.find(at);
    // The digest is the last thing in a record of an index.
    if (patch != patches_.end()) std::memcpy(&bytes[bytes.size() - 32], patch->second->data(), 32);
    const bool isFolder = record.kind == Kind::Set && record.type == Type::Directory;
    items.push_back({record.path, std::move(bytes), isFolder && cleared_.count(record.path) != 0});
  }
  if (!isSorted_) {
    // Parents before children: '/' counts less than any other byte.
    const auto less = [](unsigned char a, unsigned char b) { return (a == '/' ? 0 : a) < (b == '/' ? 0 : b); };
    std::stable_sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
      return std::lexicographical_compare(a.path.begin(), a.path.end(), b.path.begin(), b.path.end(), less);
    });
  }
  std::string out;
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
