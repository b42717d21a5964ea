// What a model and its passes take in memory, told from sizes alone: the same numbers that loading
// and running then take, so that nothing is begun that does not fit.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/backend.h"
#include "model/config.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

// Weights of `parts` with matrices in that type, as the backend packs them, and the rotary tables.
// Of a source: what stays in its file, pages of which the system can take back and read again.
struct ModelBytes {
  int64_t all = 0;
  int64_t mapped = 0;  // of these
};
ModelBytes model_bytes(const Config& config, const Backend& backend, Dtype matrices,
                       const Parts& parts, const TensorSource* source = nullptr);

// What the backend keeps of `rows` rows as products want them once they went through all matrices
// of `parts`.
int64_t prepared_rows_bytes(const Config& config, const Backend& backend, Dtype matrices,
                            const Parts& parts, int64_t rows);

// What the backend keeps of the codec's filters once a picture went through the given parts of it.
int64_t filter_bytes(const Config& config, const Backend& backend, const Parts& parts);

// What calls of Model take of their Workspace.
int64_t forward_scratch(const Config& config, int64_t rows);
int64_t embed_codes_scratch(const Config& config, int64_t rows);
int64_t image_logits_scratch(const Config& config, int64_t rows);
int64_t read_images_scratch(const Config& config, int64_t pictures);
int64_t codec_scratch(const Config& config);  // of one picture, either way

}  // namespace janus
