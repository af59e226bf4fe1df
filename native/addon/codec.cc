// zstd by libzstd, gzip by libdeflate, both a block at a time.
#include "codec.hh"

#include <libdeflate.h>
#include <zstd.h>

#include "failure.hh"

namespace wb {
namespace {

class Zstd : public Packer {
 public:
  explicit Zstd(int level) {
    if (context_ == nullptr || ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level))) {
      ZSTD_freeCCtx(context_);
      throw Failure("LAYER_COMPRESSION", "zstd has no level " + std::to_string(level));
    }
  }
  ~Zstd() override { ZSTD_freeCCtx(context_); }
  std::string pack(const uint8_t* bytes, size_t size) override {
    out_.resize(ZSTD_compressBound(size));
    const size_t used = ZSTD_compress2(context_, out_.data(), out_.size(), bytes, size);
    if (ZSTD_isError(used)) throw Failure("LAYER_COMPRESSION", std::string("zstd failed: ") + ZSTD_getErrorName(used));
    return out_.substr(0, used);
  }

 private:
  std::string out_;  // what waits for being written has no more room than it needs
  ZSTD_CCtx* context_ = ZSTD_createCCtx();
};

class Gzip : public Packer {
 public:
  explicit Gzip(int level) : compressor_(libdeflate_alloc_compressor(level)) {
    if (compressor_ == nullptr) throw Failure("LAYER_COMPRESSION", "gzip has no level " + std::to_string(level));
  }
  ~Gzip() override { libdeflate_free_compressor(compressor_); }
  std::string pack(const uint8_t* bytes, size_t size) override {
    out_.resize(libdeflate_gzip_compress_bound(compressor_, size));
    const size_t used = libdeflate_gzip_compress(compressor_, bytes, size, out_.data(), out_.size());
    if (used == 0) throw Failure("LAYER_COMPRESSION", "gzip failed");
    return out_.substr(0, used);
  }

 private:
  std::string out_;
  libdeflate_compressor* compressor_;
};

}  // namespace

std::unique_ptr<Packer> makePacker(Compression compression, int level) {
  if (compression == Compression::Zstd) return std::make_unique<Zstd>(level);
  if (compression == Compression::Gzip) return std::make_unique<Gzip>(level);
  return nullptr;
}

}  // namespace wb
