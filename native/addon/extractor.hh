// Extractor: entries of a layer → files below a folder, and the layer's index. Every refusal names what was tried.
// Two forms: overlay (whiteouts become what overlayfs knows) and plain (whiteouts delete what is there).
#pragma once
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "file-writers.hh"
#include "folder.hh"
#include "tar-parser.hh"

namespace wb {

struct ExtractOptions {
  std::string folder;
  bool overlay = true;
  bool privileged = false;
  bool fileDigests = false;
  std::vector<std::string> lowers;  // top first
};

class Extractor : public TarEvents {
 public:
  explicit Extractor(const ExtractOptions& options);

  void entry(Record& record) override;
  void content(const uint8_t* bytes, size_t size) override;
  void endOfEntry() override;

  /// Waits for the files, dresses the folders; gives the index.
  std::string finish();

 private:
  struct Seen {
    size_t at = 0;  // in the index
    Kind kind = Kind::Set;
    Type type = Type::File;
  };

  /// A digest that is known later, and the end of its record in the index.
  struct Patch {
    size_t end;
    Digest digest;
  };

  bool whiteout(const Record& record);
  void hide(const std::string& path);
  void clear(const std::string& path);
  /// Plain form: what is in the folder from before goes, what this layer brought stays.
  void empty(const std::string& path);
  /// Takes note of the folders above an entry.
  void hold(const std::string& path);
  void makeFolder(const Record& record);
  void makeLink(const Record& record);
  void makeHardlink(const Record& record);
  void makeNode(const Record& record);
  void openBig();
  void flushBig();
  /// The folder that the path is in; makes missing ones. Throws when something else is in the way.
  FdRef parent(const std::string& path);
  void implied(const std::string& path);
  /// Takes note of the path; settles what a second entry of one name means.
  void note(const Record& record);
  void replace(int dir, const Record& record);
  void drop(size_t at);
  void markOpaque(int fd, const std::string& path);
  std::string records();

  ExtractOptions options_;
  Dresser dresser_;
  Folder folder_;
  Lowers lowers_;

  std::string index_{kIndexHead};
  std::unordered_map<std::string, Seen> seen_;
  std::unordered_map<size_t, std::string> amended_;  // records that stand in place of the one at that offset
  std::set<std::string> cleared_;
  std::unordered_set<std::string> parents_;          // folders with something of this layer in them
  std::set<std::string> held_;                       // those that had no entry of their own
  std::set<std::string> hidden_;                     // paths that this layer deletes
  bool isSorted_ = true;                             // no record came later than those of its children
  std::map<std::string, Record> folders_;            // to dress at the end
  std::deque<Patch> patches_;  // their addresses stay
  uint64_t devices_ = 0, repeats_ = 0;

  Record now_;
  FdRef nowDir_;
  std::string small_;  // a small file, or the begun block of a big one
  Fd big_;
  bool bigModeIsSet_ = false;
  uint64_t written_ = 0;
  Sha256 hash_;
  Digest* digest_ = nullptr;

  FileWriters writers_;  // last: its threads use what stands above
};

}  // namespace wb
