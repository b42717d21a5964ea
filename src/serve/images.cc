// POST /v1/images/generations, edits and variations, whole or streamed, and the files that are
// answered as URLs. SPDX-License-Identifier: MIT
#include "serve/drawing.h"
#include "serve/events.h"
#include "serve/openai_edits.h"
#include "serve/routes.h"

namespace janus::serve {

namespace {

constexpr auto kSilence = std::chrono::seconds(10);

// Everything that its callbacks need; they hold it.
struct Generation {
  Desk& desk;
  DrawCall call;
  std::string id;
  int64_t created;
  std::shared_ptr<Reply> reply;
  EventStream events;
  DrawUsage usage;

  // As the names of its events begin.
  std::string kind() const { return call.edit ? "image_edit" : "image_generation"; }

  Generation(Desk& desk_, DrawCall call_, std::string id_, std::shared_ptr<Reply> reply_)
      : desk(desk_),
        call(std::move(call_)),
        id(std::move(id_)),
        created(desk_.now()),
        reply(reply_),
        events(reply_, ignored_header(call.ignored)) {}

  void end(const std::vector<Drawn>& pictures, const std::exception_ptr& failure) {
    if (failure && !events.begun()) {
      return desk.answer_failure(failure, id, "prompt", Dialect::openai, *reply);
    }
    if (failure) {
      events.send(error_object(desk.refusal_for(failure, id, "prompt")));
    } else if (!call.stream) {
      return send_json(*reply, images_json(call, desk.served(), created, pictures, usage),
                       ignored_header(call.ignored));
    }
    events.end();
  }
};

void keep_alive(const std::shared_ptr<Generation>& whole) {
  whole->desk.after(2.5, [weak = std::weak_ptr(whole)] {
    const auto self = weak.lock();
    if (self && self->events.ping(kSilence)) keep_alive(self);
  });
}

DrawingRun::Told told_of(const std::shared_ptr<Generation>& whole) {
  DrawingRun::Told told;
  told.on_end = [whole](const std::vector<Drawn>& pictures, const std::exception_ptr& failure) {
    whole->end(pictures, failure);
  };
  if (!whole->call.stream) return told;
  told.on_partial = [whole](const Partial& partial, const std::string& file) {
    whole->events.send(partial_json(whole->call, whole->desk.served(), whole->kind(),
                                    whole->created, partial, file),
                       whole->kind() + ".partial_image");
  };
  told.on_preview = [whole](int index, uint64_t seed, int rows, const std::string& file) {
    whole->events.send(preview_json(whole->desk.served(), index, seed, rows, file),
                       "januspro.preview");
  };
  told.on_picture = [whole](int index, const Drawn& picture) {
    whole->events.send(completed_json(whole->call, whole->desk.served(), whole->kind(),
                                      whole->created, index, picture, whole->usage),
                       whole->kind() + ".completed");
  };
  return told;
}

void answer(Desk& desk, DrawCall call, const Request& request,
            const std::shared_ptr<Reply>& reply) {
  if (!call.stream) {
    call.partials = 0;
    call.previews = false;
  }
  const auto run = std::make_shared<DrawingRun>(desk, call);
  const auto whole = std::make_shared<Generation>(desk, std::move(call), request.id, reply);
  whole->usage = run->usage();
  try {
    run->start(told_of(whole), *reply);
  } catch (const Error& error) {
    throw refusal_of(error, "prompt");
  }
  if (whole->call.stream) keep_alive(whole);
}

}  // namespace

void serve_generations(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  answer(desk, parse_generation(parse_json(request.body), desk.served()), request, reply);
}

void serve_edits(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const std::string_view type = request.header("content-type");
  answer(desk, parse_edit(type, request.body, desk.served()), request, reply);
}

void serve_variations(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const std::string_view type = request.header("content-type");
  answer(desk, parse_variation(type, request.body, desk.served()), request, reply);
}

void serve_file(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const auto file = desk.files.find(request.captures["name"]);
  if (!file) {
    throw Refusal(404, "file_not_found", "there is no such picture; they are kept for 60 minutes");
  }
  Response response;
  response.type = file->type;
  response.headers = {{"Cache-Control", "private, max-age=3600, immutable"}};
  response.body = *file->bytes;
  reply->send(std::move(response));
}

}  // namespace janus::serve
