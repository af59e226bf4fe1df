// What is done to all records of a walk at once, so that a context of many files costs no JavaScript object per file:
// giving them their place in a layer, and one digest over what they hold.
#include "bulk.hh"

#include <algorithm>

#include "async.hh"
#include "record.hh"
#include "tar-header.hh"

namespace wb {
namespace {

std::string_view viewOf(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength()};
}

/// Extended attributes that mean something on another host; the twin of `portable` in layerfs/tree/folder.ts.
bool isPortable(const std::string& key) {
  return key == "SCHILY.xattr.security.capability" || key.rfind("SCHILY.xattr.user.", 0) == 0;
}

void makePortable(Record& record) {
  Pax kept;
  for (auto& pair : record.pax) {
    if (isPortable(pair.first)) kept.push_back(std::move(pair));
  }
  record.pax = std::move(kept);
  if (record.pax.empty()) record.flags &= uint16_t(~kHasPax);
}

template <class F>
Napi::Value guarded(Napi::Env env, F&& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    Napi::Error(env, failureToJs(env, failure)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
}

/// Attack: a file of the context that would delete something of the base when the layer is unpacked.
void refuseWhiteout(const std::string& path) {
  if (path.compare(0, 4, ".wh.") == 0 || path.find("/.wh.") != std::string::npos) {
    throw Failure("LAYER_WHITEOUT_NAME", "names that start with .wh. mean deletions in a layer, so this cannot be in one:", path);
  }
}

/// The record's new place, its content in the file below `folder`.
void rebase(Record& record, const std::string& prefix, const std::string& folder) {
  refuseWhiteout(record.path);
  record.flags &= uint16_t(~kHasStat);
  if (record.type == Type::File) {
    record.flags |= kHasContent;
    record.content = ContentKind::File;
    record.contentBytes = folder + "/" + record.path;
  }
  if (!prefix.empty()) record.path = prefix + "/" + record.path;
}

/// (records, prefix, folder, uid, gid, mode or -1) → records of a layer whose contents lie below `folder`.
Napi::Value rebaseRecords(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string_view bytes = viewOf(info[0]);
    const std::string prefix(viewOf(info[1]));
    const std::string folder(viewOf(info[2]));
    const uint32_t uid = info[3].As<Napi::Number>(), gid = info[4].As<Napi::Number>();
    const int32_t mode = info[5].As<Napi::Number>();
    std::string out;
    out.reserve(bytes.size() * 2);
    while (!bytes.empty()) {
      Record record = decodeRecord(bytes);
      makePortable(record);
      record.uid = uid;
      record.gid = gid;
      if (mode >= 0 && record.type != Type::Symlink) record.mode = uint32_t(mode);
      rebase(record, prefix, folder);
      encodeRecord(record, out);
    }
    return toBuffer(info.Env(), std::move(out));
  });
}

/// (records of files and folders, prefix, folder, the files' and the folders' records of Windows, epoch in seconds or
/// undefined) → records of a Windows layer. The twin of freshMetadata in layerfs/windows/metadata.ts.
Napi::Value windowsRecords(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string_view bytes = viewOf(info[0]);
    const std::string prefix(viewOf(info[1]));
    const std::string folder(viewOf(info[2]));
    const std::string security[] = {std::string(viewOf(info[3])), std::string(viewOf(info[4]))};
    const int64_t latest = info[5].IsNumber() ? info[5].As<Napi::Number>().Int64Value() : INT64_MAX;
    std::string out;
    out.reserve(bytes.size() * 2 + (bytes.size() / kRecordHead) * security[0].size() / 2);
    while (!bytes.empty()) {
      Record record = decodeRecord(bytes);
      if (record.type != Type::File && record.type != Type::Directory) {
        throw Failure("LAYER_RECORD", "neither a file nor a folder:", record.path);
      }
      const bool isFolder = record.type == Type::Directory;
      // Windows counts 100 ns.
      record.mtime.nanos -= record.mtime.nanos % 100;
      const Time created = record.mtime.seconds < latest ? record.mtime : Time{latest, 0};
      record.mode = isFolder ? 0755 : 0644;
      record.uid = record.gid = 0;
      record.flags |= kHasPax;
      record.pax = {{"LIBARCHIVE.creationtime", paxTime(created)},
                    {"MSWINDOWS.fileattr", isFolder ? "16" : "32"},
                    {"MSWINDOWS.rawsd", security[isFolder]}};
      rebase(record, prefix, folder);
      encodeRecord(record, out);
    }
    return toBuffer(info.Env(), std::move(out));
  });
}

template <class T>
void add(Sha256& hash, T value) {
  hash.update(&value, sizeof value);
}

void add(Sha256& hash, const std::string& text) {
  add(hash, uint64_t(text.size()));
  hash.update(text.data(), text.size());
}

/// (records, digests of the files in order or undefined where the records have them, of a context?) → sha256.
Napi::Value digestRecords(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string_view bytes = viewOf(info[0]);
    std::string_view digests = info[1].IsTypedArray() ? viewOf(info[1]) : std::string_view();
    const bool ofContext = info[2].As<Napi::Boolean>();
    Sha256 hash;
    while (!bytes.empty()) {
      Record record = decodeRecord(bytes);
      if (ofContext) {
        // Owners of a checkout are whoever checked it out; a context's files belong to root.
        record.uid = record.gid = 0;
        makePortable(record);
      }
      add(hash, uint8_t(record.kind));
      add(hash, uint8_t(record.type));
      add(hash, record.mode);
      add(hash, record.uid);
      add(hash, record.gid);
      add(hash, record.path);
      add(hash, record.target);
      add(hash, record.major);
      add(hash, record.minor);
      add(hash, uint64_t(record.pax.size()));
      for (const auto& [key, value] : record.pax) {
        add(hash, key);
        add(hash, value);
      }
      if (record.type != Type::File) continue;
      if (record.flags & kHasDigest) {
        hash.update(record.digest.data(), record.digest.size());
      } else {
        if (digests.size() < record.digest.size()) throw Failure("LAYER_RECORD", "there is no digest for", record.path);
        hash.update(digests.data(), record.digest.size());
        digests.remove_prefix(record.digest.size());
      }
    }
    const Digest digest = hash.finish();
    return Napi::Buffer<uint8_t>::Copy(info.Env(), digest.data(), digest.size());
  });
}

/// (records) → the digests of their files, one after the other.
Napi::Value fileDigestsOf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string_view bytes = viewOf(info[0]);
    std::string out;
    while (!bytes.empty()) {
      const Record record = decodeRecord(bytes);
      if (record.type != Type::File || record.kind != Kind::Set) continue;
      if (!(record.flags & kHasDigest)) throw Failure("LAYER_RECORD", "there is no digest for", record.path);
      out.append(reinterpret_cast<const char*>(record.digest.data()), record.digest.size());
    }
    return toBuffer(info.Env(), std::move(out));
  });
}

/// (records of a walk) → the latest ctime, in nanoseconds.
Napi::Value newestChange(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string_view bytes = viewOf(info[0]);
    int64_t newest = 0;
    while (!bytes.empty()) {
      const Record record = decodeRecord(bytes);
      // Beyond the year 2262 the product would not fit: such a time counts as the latest there is.
      constexpr int64_t kSecond = 1000000000, kMost = INT64_MAX / kSecond - 1;
      const int64_t seconds = std::clamp<int64_t>(record.inode.ctime.seconds, 0, kMost);
      newest = std::max(newest, seconds * kSecond + record.inode.ctime.nanos);
    }
    return Napi::BigInt::New(info.Env(), newest);
  });
}

}  // namespace

void exportBulk(Napi::Env env, Napi::Object exports) {
  exports.Set("rebaseRecords", Napi::Function::New(env, rebaseRecords, "rebaseRecords"));
  exports.Set("windowsRecords", Napi::Function::New(env, windowsRecords, "windowsRecords"));
  exports.Set("digestRecords", Napi::Function::New(env, digestRecords, "digestRecords"));
  exports.Set("newestChange", Napi::Function::New(env, newestChange, "newestChange"));
  exports.Set("fileDigestsOf", Napi::Function::New(env, fileDigestsOf, "fileDigestsOf"));
}

}  // namespace wb
