// The story of a picture: prompt -> rows of ids -> keys and values, forked for every picture; then
// code after code; then pixels. (deepseek-ai/Janus, generation_inference.py, with the prompt's
// keys and values computed once instead of once a picture.) It is told in the order in which a
// running batch calls it. I codes of a picture · C codes in the book.
// SPDX-License-Identifier: MIT
#include "generate/draw.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "generate/pixels.h"
#include "generate/sampler.h"
#include "generate/source.h"

namespace janus {

namespace {

// The beginning of rows, run once however many rows begin with it.
struct Root {
  std::vector<Fed> fed;
  int32_t sequence = -1;
  int64_t ran = 0;            // positions that its sequence has, those of the present pass included
  int64_t last_row = -1;      // of its last position in the present pass
  std::vector<float> logits;  // [C] of a first code, once all of it has run
  int64_t waiting = 0;        // rows that are still to begin from it

  bool ready() const { return !logits.empty(); }
};

// One picture while it grows.
struct Growing {
  static constexpr size_t kRows = PromptRows::kMost;  // some of them are missing
  using Logits = std::array<std::span<const float>, kRows>;

  const DrawRequest* request = nullptr;
  int request_index = 0;
  int index = 0;
  uint64_t seed = 0;
  const PromptRows* prompt = nullptr;
  std::array<Root*, kRows> roots{};
  std::array<int32_t, kRows> sequences{-1, -1, -1};
  std::vector<int32_t> codes;
  size_t fed = 0;  // codes whose rows have been offered, to its sequences as long as they live
  std::vector<int32_t> guesses;                      // of the codes after those
  std::vector<std::array<int64_t, kRows>> choosing;  // rows of the present pass that give the next
  int looks = 0;                                     // shown or passed over

  const std::vector<int32_t>& ids(size_t row) const { return *prompt->all()[row]; }
  bool has(size_t row) const { return !ids(row).empty(); }
};

// All pictures of a call, so many side by side.
class DrawingMember : public Member {
 public:
  DrawingMember(const Shared& shared, std::shared_ptr<const DrawOrder> order, int pictures_at_once,
                OnPicture on_picture, OnStep on_step, Looks looks);

  int64_t scratch() const override;
  void offer_steps(Pass& pass) override;
  void offer_prompts(Pass& pass, int64_t room) override;
  void accept(const Pass& pass) override;
  bool has_slow_work() const override;
  void do_slow_work(Workspace& space, const Between& between) override;
  bool over() const override { return next_pixels_ == pictures_.size(); }
  void leave() noexcept override;

 private:
  void read_original(Workspace& space, const Between& between);
  bool held_up() const { return looking_ || reads(); }
  bool reads() const { return reading_ || (source_ && source_->has_work()); }
  void begin_group(size_t first);
  void begin(Growing& picture);
  void offer_code(Growing& picture, Pass& pass);
  void offer_row(Growing& picture, int32_t code, bool chooses, Pass& pass) const;
  void guess(Growing& picture, size_t count) const;
  void accept_window(Growing& picture, const Pass& pass);
  int32_t standing(size_t position) const;
  void keep_codes(Growing& picture);
  int32_t choose(const Growing& picture, size_t position, const Growing::Logits& logits);
  std::vector<Fed> feed(std::span<const int32_t> ids) const;
  void end_rows(Growing& picture) noexcept;
  void report(Progress::Phase phase);
  size_t rows_of_look(int look) const;
  bool look_is_due(const Growing& picture) const;
  void show_growing(Growing& picture, Workspace& space, const Between& between);
  void make_pixels(Workspace& space, const Between& between);
  Image decode(std::span<const int32_t> codes, Workspace& space, const Between& between) const;
  Picture finish(const Growing& picture, Workspace& space, const Between& between) const;

  const Shared& shared_;
  std::shared_ptr<const DrawOrder> asked_;
  OnPicture on_picture_;
  OnStep on_step_;
  Looks looks_;
  bool looking_ = false;  // nothing grows while a growing picture is shown
  size_t at_once_;
  size_t codes_;                          // I
  std::vector<int32_t> standing_;         // [I] of an edit, -1: is drawn; else empty
  bool reading_ = false;                  // they are still to be read from the original
  std::optional<SourceReading> source_;   // of an edit by instruction
  std::vector<const PromptRows*> order_;  // of each picture
  std::vector<Growing> pictures_;
  std::span<Growing> group_;  // those side by side
  std::map<std::vector<int32_t>, Root> roots_;
  size_t next_pixels_ = 0;  // pictures before it are finished
  Sampler sampler_;
  Window window_;
  std::vector<float> mixed_;  // [C]
  std::vector<Sketch> sketches_;
};

DrawingMember::DrawingMember(const Shared& shared, std::shared_ptr<const DrawOrder> order,
                             int pictures_at_once, OnPicture on_picture, OnStep on_step,
                             Looks looks)
    : shared_(shared),
      asked_(std::move(order)),
      on_picture_(std::move(on_picture)),
      on_step_(std::move(on_step)),
      looks_(std::move(looks)),
      codes_(static_cast<size_t>(shared.model.config().image_tokens())),
      window_(shared.ahead) {
  check(pictures_at_once >= 1, Code::bad_input, "pictures at once is ", pictures_at_once,
        "; it must be 1 or more");
  at_once_ = static_cast<size_t>(std::min(pictures_at_once, kMostAtOnce));
  order_ = rows_of_pictures(*asked_);
  reading_ = asked_->original && asked_->original->kept() > 0;
  if (asked_->source) source_.emplace(shared, asked_->source, asked_->vector_id);
  mixed_.resize(static_cast<size_t>(shared.model.config().vq.codes));
  for (size_t i = 0; i < asked_->requests.size(); ++i) {
    const DrawRequest& request = asked_->requests[i];
    for (int k = 0; k < request.images; ++k) {
      Growing picture;
      picture.request = &request;
      picture.request_index = static_cast<int>(i);
      picture.index = k;
      picture.seed = request.seed + static_cast<uint64_t>(k);
      picture.prompt = &asked_->rows[i];
      pictures_.push_back(std::move(picture));
    }
  }
  begin_group(0);
}

int64_t DrawingMember::scratch() const {
  const Config& config = shared_.model.config();
  int64_t most = 0;
  for (const BatchShape& shape : group_shapes(config, order_, static_cast<int>(at_once_))) {
    most = std::max(most, workspace_bytes(config, shape));
  }
  return most;
}

void DrawingMember::begin_group(size_t first) {
  group_ = std::span(pictures_).subspan(first, std::min(at_once_, pictures_.size() - first));
  sketches_.clear();
  for (Growing& picture : group_) {
    picture.codes.reserve(codes_);
    sketches_.push_back({picture.request_index, picture.index, {}});
    for (size_t row = 0; row < Growing::kRows; ++row) {
      if (!picture.has(row)) continue;
      Root& root = roots_[picture.ids(row)];
      ++root.waiting;
      picture.roots[row] = &root;
    }
  }
}

void DrawingMember::offer_prompts(Pass& pass, int64_t room) {
  if (held_up()) return;
  for (auto& [ids, root] : roots_) {
    if (root.ready()) continue;
    if (root.sequence < 0) {
      root.fed = feed(ids);
      std::tie(root.sequence, root.ran) = shared_.prompts.begin(root.fed);
    }
    for (; room > 0 && root.ran < std::ssize(root.fed); --room) {
      const bool last = root.ran + 1 == std::ssize(root.fed);
      const Fed& fed = root.fed[static_cast<size_t>(root.ran++)];
      const int64_t row = pass.add(root.sequence, fed, last ? Wants::image : Wants::nothing,
                                   source_ ? source_->vector(fed) : nullptr);
      if (last) root.last_row = row;
    }
  }
  for (Growing& picture : group_) {
    while (picture.codes.size() < codes_ && picture.fed < picture.codes.size() && room > 0) {
      offer_code(picture, pass);
      room -= picture.prompt->count();
    }
  }
}

// What stands at each position of a prompt.
std::vector<Fed> DrawingMember::feed(std::span<const int32_t> ids) const {
  if (source_) return source_->feed(ids);
  std::vector<Fed> fed;
  for (const int32_t id : ids) fed.push_back(fed_text(id));
  return fed;
}

// The code chosen last, and guesses behind it; codes that stand and follow it go as prompts do.
void DrawingMember::offer_steps(Pass& pass) {
  if (held_up()) return;
  const auto steps = [&](const Growing& picture) {
    return picture.codes.size() < codes_ && picture.fed + 1 == picture.codes.size();
  };
  int64_t rows = 0;
  for (const Growing& picture : group_) rows += steps(picture) ? picture.prompt->count() : 0;
  if (rows == 0) return;
  const int64_t window = window_.choose(shared_.pace.costs(), pass.rows(), rows,
                                        widest_window(rows), shared_.pace.longest_pass());
  for (Growing& picture : group_) {
    if (!steps(picture)) continue;
    const size_t left = codes_ - picture.codes.size();
    guess(picture, std::min(static_cast<size_t>(window), left) - 1);
    offer_code(picture, pass);
    for (const int32_t code : picture.guesses) offer_row(picture, code, true, pass);
  }
}

// What stands; what the last pass gave; the code above, as pictures go on downwards.
void DrawingMember::guess(Growing& picture, size_t count) const {
  const auto grid = static_cast<size_t>(shared_.model.config().grid());
  const auto code_at = [&](size_t position) {
    const size_t known = picture.codes.size();
    return position < known ? picture.codes[position] : picture.guesses[position - known];
  };
  picture.guesses.resize(std::min(picture.guesses.size(), count));
  while (picture.guesses.size() < count) {
    const size_t position = picture.codes.size() + picture.guesses.size();
    const int32_t stands = standing(position);
    picture.guesses.push_back(stands >= 0 ? stands : code_at(position - std::min(grid, position)));
  }
}

// The next code.
void DrawingMember::offer_code(Growing& picture, Pass& pass) {
  const int32_t code = picture.codes[picture.fed++];
  offer_row(picture, code, picture.fed == picture.codes.size(), pass);
}

// One code more, to all rows of a picture alike.
void DrawingMember::offer_row(Growing& picture, int32_t code, bool chooses, Pass& pass) const {
  std::array<int64_t, Growing::kRows> rows{};
  for (size_t row = 0; row < Growing::kRows; ++row) {
    if (picture.sequences[row] < 0) continue;
    rows[row] =
        pass.add(picture.sequences[row], fed_code(code), chooses ? Wants::image : Wants::nothing);
  }
  if (chooses) picture.choosing.push_back(rows);
}

void DrawingMember::accept(const Pass& pass) {
  for (auto& [ids, root] : roots_) {
    if (root.last_row < 0) continue;
    const std::span<const float> logits = pass.logits(std::exchange(root.last_row, -1));
    root.logits.assign(logits.begin(), logits.end());
  }
  for (Growing& picture : group_) {
    if (picture.codes.empty()) {
      begin(picture);
    } else if (!picture.choosing.empty()) {
      accept_window(picture, pass);
    }
  }
  report(group_.front().codes.empty() ? Progress::Phase::prompt : Progress::Phase::codes);
}

// From its prompts, if all of them have run.
void DrawingMember::begin(Growing& picture) {
  const auto ready = [](const Root* root) { return !root || root->ready(); };
  if (!std::all_of(picture.roots.begin(), picture.roots.end(), ready)) return;
  Growing::Logits logits;
  for (size_t row = 0; row < Growing::kRows; ++row) {
    if (!picture.roots[row]) continue;
    logits[row] = picture.roots[row]->logits;
    picture.sequences[row] = shared_.fork(picture.roots[row]->sequence);
  }
  picture.codes.push_back(choose(picture, 0, logits));
  keep_codes(picture);
  for (Root* root : picture.roots) {
    if (!root || --root->waiting > 0) continue;
    shared_.end(std::exchange(root->sequence, -1), std::move(root->fed));
  }
}

// The codes that its rows give: right up to the first whose guess was wrong, guesses from there on.
void DrawingMember::accept_window(Growing& picture, const Pass& pass) {
  std::vector<int32_t> given;
  for (const auto& rows : picture.choosing) {
    Growing::Logits logits;
    for (size_t row = 0; row < Growing::kRows; ++row) {
      if (picture.sequences[row] >= 0) logits[row] = pass.logits(rows[row]);
    }
    given.push_back(choose(picture, picture.codes.size() + given.size(), logits));
  }
  picture.choosing.clear();
  const size_t right = count_right(given, std::span(picture.guesses).first(given.size() - 1));
  window_.saw(std::ssize(given), static_cast<int64_t>(right));
  const auto end = given.begin() + static_cast<int64_t>(right);
  picture.codes.insert(picture.codes.end(), given.begin(), end);
  picture.guesses.assign(end, given.end());
  picture.fed += right - 1;
  for (size_t row = 0; row < Growing::kRows; ++row) {
    if (picture.sequences[row] < 0) continue;
    const size_t length = picture.ids(row).size() + picture.fed;
    shared_.cache.truncate(picture.sequences[row], static_cast<int64_t>(length));
  }
  keep_codes(picture);
}

// The code of an edit that stands there; -1: none does.
int32_t DrawingMember::standing(size_t position) const {
  return position < standing_.size() ? standing_[position] : -1;
}

// The code that stands there, or the one that the logits give.
int32_t DrawingMember::choose(const Growing& picture, size_t position,
                              const Growing::Logits& logits) {
  if (standing(position) >= 0) return standing(position);
  const DrawRequest& request = *picture.request;
  const auto& [guided, unguided, partial] = logits;
  std::span<const float> sampled = guided.empty() ? unguided : guided;
  if (source_) {
    mix(logits, picture.prompt->shares, mixed_);
    sampled = mixed_;
  } else if (!guided.empty() && !unguided.empty()) {
    guide(guided, unguided, guidance_of(request), mixed_);
    sampled = mixed_;
  }
  return sampler_.pick(sampled, {request.temperature, request.top_k, request.top_p}, picture.seed,
                       position);
}

// Codes that stand are not chosen.
void DrawingMember::keep_codes(Growing& picture) {
  const size_t before = picture.codes.size();
  while (standing(picture.codes.size()) >= 0) {
    picture.codes.push_back(standing(picture.codes.size()));
  }
  const size_t kept = std::min(picture.codes.size() - before, picture.guesses.size());
  picture.guesses.erase(picture.guesses.begin(),
                        picture.guesses.begin() + static_cast<int64_t>(kept));
  if (picture.codes.size() == codes_) end_rows(picture);
}

void DrawingMember::end_rows(Growing& picture) noexcept {
  for (int32_t& sequence : picture.sequences) {
    if (sequence >= 0) shared_.cache.remove(std::exchange(sequence, -1));
  }
}

void DrawingMember::report(Progress::Phase phase) {
  if (!on_step_) return;
  const auto before = static_cast<size_t>(group_.data() - pictures_.data());
  Progress progress{phase, static_cast<int64_t>(before * codes_),
                    static_cast<int64_t>(pictures_.size() * codes_), sketches_};
  for (size_t i = 0; i < group_.size(); ++i) {
    sketches_[i].codes = group_[i].codes;
    progress.done += std::ssize(group_[i].codes);
  }
  check(on_step_(progress), Code::cancelled, "drawing was stopped after ", progress.done, " of ",
        progress.total, " codes");
}

// Rows of codes that a look shows.
size_t DrawingMember::rows_of_look(int look) const {
  const auto grid = static_cast<size_t>(shared_.model.config().grid());
  const auto parts = static_cast<size_t>(looks_.count) + 1;
  return ((static_cast<size_t>(look) + 1) * grid + parts - 1) / parts;
}

bool DrawingMember::look_is_due(const Growing& picture) const {
  if (!looks_.on_partial || picture.looks >= looks_.count) return false;
  const size_t rows = rows_of_look(picture.looks);
  const auto grid = static_cast<size_t>(shared_.model.config().grid());
  return rows < grid && picture.codes.size() >= rows * grid;
}

bool DrawingMember::has_slow_work() const {
  if (reads()) return true;
  const auto is_due = [&](const Growing& picture) { return look_is_due(picture); };
  const auto is_drawn = [&](const Growing& picture) { return picture.codes.size() == codes_; };
  return std::any_of(group_.begin(), group_.end(), is_due) ||
         std::all_of(group_.begin(), group_.end(), is_drawn);
}

void DrawingMember::do_slow_work(Workspace& space, const Between& between) {
  if (reading_) return read_original(space, between);
  if (source_ && source_->has_work()) return source_->work(space, between);
  for (Growing& picture : group_) {
    if (look_is_due(picture)) return show_growing(picture, space, between);
  }
  make_pixels(space, between);
}

// Its codes: those that stand.
void DrawingMember::read_original(Workspace& space, const Between& between) {
  const Original& original = *asked_->original;
  const int64_t side = shared_.model.config().image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  to_pixels(original.image, pixels.view.as({side, side, 3}));
  standing_.resize(codes_);
  shared_.model.encode_image(pixels.view, space, standing_, nullptr, between);
  for (size_t i = 0; i < codes_; ++i) {
    if (original.keeps[i] == 0) standing_[i] = -1;
  }
  reading_ = false;
}

void DrawingMember::show_growing(Growing& picture, Workspace& space, const Between& between) {
  constexpr uint8_t kNotYet = 197;
  const Config& config = shared_.model.config();
  // Of several that fall on one row the last is shown.
  while (picture.looks + 1 < looks_.count &&
         rows_of_look(picture.looks + 1) == rows_of_look(picture.looks)) {
    ++picture.looks;
  }
  const auto rows = static_cast<int64_t>(rows_of_look(picture.looks));
  std::vector<int32_t> filled(picture.codes.begin(), picture.codes.begin() + rows * config.grid());
  for (size_t i = filled.size(); i < codes_; ++i) {
    filled.push_back(standing(i) >= 0 ? standing(i) : filled.back());
  }
  looking_ = true;
  Partial partial{decode(filled, space, between), picture.request_index, picture.index,
                  picture.looks, static_cast<int>(rows)};
  looking_ = false;
  ++picture.looks;
  const int64_t drawn = rows * config.image / config.grid() * config.image * 3;
  std::fill(partial.image.rgb.begin() + drawn, partial.image.rgb.end(), kNotYet);
  looks_.on_partial(partial);
}

// Of one picture; after the last of the group the next begins.
void DrawingMember::make_pixels(Workspace& space, const Between& between) {
  report(Progress::Phase::pixels);
  on_picture_(finish(pictures_[next_pixels_], space, between));
  ++next_pixels_;
  if (next_pixels_ == static_cast<size_t>(group_.data() + group_.size() - pictures_.data()) &&
      !over()) {
    roots_.clear();
    begin_group(next_pixels_);
  }
}

Image DrawingMember::decode(std::span<const int32_t> codes, Workspace& space,
                            const Between& between) const {
  const int64_t side = shared_.model.config().image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  shared_.model.decode_image(codes, space, pixels.view, nullptr, between);
  return to_image(pixels.view.as({side, side, 3}));
}

Picture DrawingMember::finish(const Growing& picture, Workspace& space,
                              const Between& between) const {
  Picture result;
  result.image = decode(picture.codes, space, between);
  if (asked_->original) {
    blend(*asked_->original, shared_.model.config().grid(), result.image);
  }
  result.codes = picture.codes;
  result.seed = picture.seed;
  result.request = picture.request_index;
  result.index = picture.index;
  return result;
}

void DrawingMember::leave() noexcept {
  for (Growing& picture : group_) end_rows(picture);
  for (auto& [ids, root] : roots_) {
    if (root.sequence >= 0) shared_.cache.remove(std::exchange(root.sequence, -1));
  }
}

}  // namespace

std::unique_ptr<Member> make_drawing(const Shared& shared, std::shared_ptr<const DrawOrder> order,
                                     int pictures_at_once, OnPicture on_picture, OnStep on_step,
                                     Looks looks) {
  return std::make_unique<DrawingMember>(shared, std::move(order), pictures_at_once,
                                         std::move(on_picture), std::move(on_step),
                                         std::move(looks));
}

void draw(const Drawing& drawing, std::span<const DrawRequest> requests,
          const OnPicture& on_picture, const OnStep& on_step, const Looks& looks) {
  const Config& config = drawing.model.config();
  const auto order = draw_order(config, drawing.prompts, {requests.begin(), requests.end()});
  RunningBatch batch(drawing.model, drawing.cache,
                     drawing_blocks(config, rows_of_pictures(*order), drawing.pictures_at_once),
                     false, drawing.ahead);
  batch.run_alone(
      make_drawing(batch.shared(), order, drawing.pictures_at_once, on_picture, on_step, looks));
}

}  // namespace janus
