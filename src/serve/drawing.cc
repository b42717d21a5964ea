// SPDX-License-Identifier: MIT
#include "serve/drawing.h"

#include <algorithm>

#include "io/image.h"
#include "io/resize.h"

namespace janus::serve {

namespace {

std::string png(const Image& image) {
  const auto bytes = encode_image(image);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

DrawingRun::DrawingRun(Desk& desk, const DrawCall& call)
    : desk_(desk),
      call_(call),
      ticket_(desk, call.edit ? "edit" : "draw",
              rows_of(call) * std::min(call.request.images, desk.served().info.parallel)),
      serial_(std::make_shared<Serial>(desk.work)),
      rows_(static_cast<size_t>(call.request.images), 0) {
  const int64_t codes = desk.served().info.image_tokens;
  total_ = codes * call.request.images;
  usage_ = {desk.engine().prompt_tokens(call.request), call.edit ? codes : 0, total_};
}

void DrawingRun::start(Told told, Reply& reply) {
  told_ = std::move(told);
  const auto self = shared_from_this();
  DrawEvents events;
  events.on_step = [self](const Progress& progress) { return self->step(progress); };
  events.on_picture = [self](const Picture& picture) {
    const auto copy = std::make_shared<const Picture>(picture);
    self->serial_->push([self, copy] { self->keep(copy); });
  };
  if (call_.partials > 0) {
    events.partials = call_.partials;
    events.on_partial = [self](const Partial& partial) {
      const auto copy = std::make_shared<const Partial>(partial);
      self->serial_->push([self, copy] {
        if (!self->gone_) self->told_.on_partial(*copy, encode(copy->image, self->call_.form, {}));
      });
    };
  }
  const Job job = call_.edit ? desk_.engine().submit(*call_.edit, events)
                             : desk_.engine().submit(call_.request, events);
  {
    const std::lock_guard lock(mutex_);
    job_ = job;
  }
  job.on_end([self] { self->serial_->push([self] { self->ended(); }); });
  reply.on_gone([self, job] {
    self->gone_ = true;
    job.cancel();
    self->desk_.metrics.add("januspro_requests_cancelled_total",
                            Metrics::label("kind", self->call_.edit ? "edit" : "draw"));
  });
}

// On the engine's thread, as look() is.
bool DrawingRun::step(const Progress& progress) {
  ticket_.begun();
  const int64_t fresh = progress.done - codes_;
  codes_ = progress.done;
  desk_.metrics.add("januspro_image_tokens_total", "", static_cast<double>(fresh));
  if (fresh > 0) {
    desk_.metrics.observe("januspro_batch_rows", "",
                          static_cast<double>(std::ssize(progress.sketches) * rows_of(call_)));
  }
  if (call_.previews) {
    for (const Sketch& sketch : progress.sketches) look(sketch);
  }
  return !interrupted_ && !gone_;
}

void DrawingRun::look(const Sketch& sketch) {
  const int rows = static_cast<int>(sketch.codes.size()) / desk_.served().grid();
  int& seen = rows_[static_cast<size_t>(sketch.index)];
  if (rows == seen) return;
  seen = rows;
  const std::vector<int32_t> codes(sketch.codes.begin(), sketch.codes.end());
  serial_->push([self = shared_from_this(), index = sketch.index, rows, codes] {
    if (self->gone_) return;
    const uint64_t seed = self->call_.request.seed + static_cast<uint64_t>(index);
    self->told_.on_preview(index, seed, rows, png(self->desk_.engine().preview(codes)));
  });
}

Drawn DrawingRun::handed_out(const Picture& picture) const {
  DrawRequest one = call_.request;
  one.images = 1;
  one.seed = picture.seed;
  Drawn drawn;
  drawn.seed = picture.seed;
  drawn.file = encode(picture.image, call_.form,
                      desk_.options.recipe(one, desk_.served().info, call_.edited));
  if (!call_.form.as_url) return drawn;
  const std::string name = desk_.new_id("") + "." + call_.form.format;
  desk_.files.add({name, media_type(call_.form.format),
                   std::make_shared<const std::string>(std::move(drawn.file))});
  drawn.file.clear();
  drawn.url = desk_.url() + "v1/images/files/" + name;
  return drawn;
}

void DrawingRun::keep(const std::shared_ptr<const Picture>& picture) {
  if (gone_) return;
  desk_.metrics.add("januspro_images_total", "");
  desk_.metrics.observe("januspro_image_seconds", "", seconds());
  try {
    done_.push_back(handed_out(*picture));
  } catch (...) {
    gone_ = true;  // nothing more is of use
    over_ = true;
    return told_.on_end({}, std::current_exception());
  }
  if (told_.on_picture) told_.on_picture(picture->index, done_.back());
}

void DrawingRun::ended() {
  if (gone_) return;
  std::optional<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = job_;
  }
  std::exception_ptr failure;
  try {
    desk_.metrics.add("januspro_prompt_tokens_total", "", static_cast<double>(usage_.text_tokens));
    if (interrupted_) {
      for (int64_t i = std::ssize(done_); i < call_.request.images; ++i) {
        const std::vector<int32_t> codes = job->codes(i);
        if (codes.empty()) break;
        Picture partial{enlarged(codes), codes, call_.request.seed + static_cast<uint64_t>(i), 0,
                        0};
        done_.push_back(handed_out(partial));
      }
    } else {
      job->check();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  over_ = true;
  told_.on_end(std::move(done_), failure);
}

void DrawingRun::interrupt() {
  interrupted_ = true;
  std::optional<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = job_;
  }
  if (job) job->cancel();
}

double DrawingRun::progress() const {
  return total_ == 0 ? 0 : static_cast<double>(codes_) / static_cast<double>(total_);
}

Image DrawingRun::enlarged(std::span<const int32_t> codes) const {
  const int side = desk_.served().info.image;
  return resize_bicubic(desk_.engine().preview(codes), side, side);
}

std::string DrawingRun::picture() const {
  std::optional<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = job_;
  }
  if (!job) return {};
  const JobView view = job->view();
  if (view.pictures == view.pictures_total) return {};
  const std::vector<int32_t> codes = job->codes(view.pictures);
  return codes.empty() ? std::string() : png(enlarged(codes));
}

}  // namespace janus::serve
