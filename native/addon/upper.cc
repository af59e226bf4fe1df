// What an overlay's upper folder says, as records of a layer: the twin of readUpper in layerfs/layer/overlay.ts, for steps
// that write tens of thousands of files. Both are held together by tests/layerfs/layer/overlay.test.ts.
#include "upper.hh"

#include <unordered_map>

#include "async.hh"
#include "record.hh"

namespace wb {
namespace {

const std::string kXattr = "SCHILY.xattr.";

const std::string* find(const Record& record, const std::string& name) {
  for (const auto& [key, value] : record.pax) {
    if (key == kXattr + "trusted.overlay." + name || key == kXattr + "user.overlay." + name) return &value;
  }
  return nullptr;
}

bool isWhiteout(const Record& record) {
  if (record.type == Type::Character) return record.major == 0 && record.minor == 0;
  // The other form, for where devices cannot be made: an empty file with the mark.
  return record.type == Type::File && record.size == 0 && find(record, "whiteout") != nullptr;
}

/// With redirect_dir or metacopy an upper folder is only half of the story: the rest lies in the lower ones, by name.
void refuseReferences(const Record& record) {
  if (find(record, "redirect") == nullptr && find(record, "metacopy") == nullptr) return;
  throw Failure("LAYER_OVERLAY", "this in the overlay only refers to a lower file:", record.path);
}

/// Attributes that belong to files wherever they are. Labels, ACLs by host ids and overlayfs' own belong to this host.
void keepPortable(Record& record) {
  Pax kept;
  for (auto& [key, value] : record.pax) {
    if (key == kXattr + "security.capability") {
      // Revision 3 names the host's id of the namespace's root (capabilities(7)); revision 2 is the same without it.
      if (value.size() == 24 && value[3] == 3) {
        value.resize(20);
        value[3] = 2;
      }
    } else if (key.rfind(kXattr + "user.", 0) != 0 || key.rfind(kXattr + "user.overlay.", 0) == 0) {
      continue;
    }
    kept.emplace_back(key, value);
  }
  record.pax = std::move(kept);
  if (record.pax.empty()) record.flags &= uint16_t(~kHasPax);
}

Record mark(Kind kind, const std::string& path) {
  Record record;
  record.kind = kind;
  record.path = path;
  return record;
}

bool meansDeletion(const std::string& path) {
  return path.compare(0, 4, ".wh.") == 0 || path.find("/.wh.") != std::string::npos;
}

std::string upperRecords(std::string_view bytes, const std::string& folder) {
  std::string out;
  out.reserve(bytes.size() * 2);
  std::unordered_map<std::string, std::string> firstNames;
  while (!bytes.empty()) {
    Record record = decodeRecord(bytes);
    if (isWhiteout(record)) {
      encodeRecord(mark(Kind::Delete, record.path), out);
      continue;
    }
    // Attack: a step that makes such a file would delete something of the base wherever the image is unpacked.
    if (meansDeletion(record.path)) {
      throw Failure("LAYER_WHITEOUT_NAME", "names that start with .wh. mean deletions in a layer, so this cannot be in one:",
                    record.path);
    }
    refuseReferences(record);
    const std::string* opaque = find(record, "opaque");
    const bool isCleared = record.type == Type::Directory && opaque != nullptr && *opaque == "y";
    const Inode inode = record.inode;
    keepPortable(record);
    record.flags &= uint16_t(~kHasStat);
    if (inode.nlink > 1 && record.type != Type::Directory) {
      const std::string key = std::to_string(inode.dev) + ":" + std::to_string(inode.ino);
      const auto [first, isNew] = firstNames.emplace(key, record.path);
      if (!isNew) {
        record.type = Type::Hardlink;
        record.target = first->second;
        record.flags = kHasTarget;
        record.size = 0;
        record.pax.clear();
      }
    }
    if (record.type == Type::File) {
      record.flags |= kHasContent;
      record.content = ContentKind::File;
      record.contentBytes = folder + "/" + record.path;
    }
    encodeRecord(record, out);
    if (isCleared) encodeRecord(mark(Kind::Clear, record.path), out);
  }
  return out;
}

/// (records of a walk with attributes, folder) → records of a layer.
Napi::Value upperRecordsOf(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  try {
    const std::string_view records(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
    return toBuffer(info.Env(), upperRecords(records, toBytes(info[1])));
  } catch (const Failure& failure) {
    Napi::Error(info.Env(), failureToJs(info.Env(), failure)).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
}

}  // namespace

void exportUpper(Napi::Env env, Napi::Object exports) {
  exports.Set("upperRecords", Napi::Function::New(env, upperRecordsOf, "upperRecords"));
}

}  // namespace wb
