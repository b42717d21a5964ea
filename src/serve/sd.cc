// The routes under /sdapi: thin around a1111.h. SPDX-License-Identifier: MIT
#include <algorithm>
#include <ctime>

#include "serve/a1111.h"
#include "serve/drawing.h"
#include "serve/routes.h"

namespace janus::serve {

namespace {

std::string stamp(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &utc)};
}

void send_empty_object(Reply& reply) { send_json(reply, OrderedJson::object()); }

}  // namespace

namespace {

void answer(Desk& desk, SdCall parsed, const Request& request,
            const std::shared_ptr<Reply>& reply) {
  const auto call = std::make_shared<const SdCall>(std::move(parsed));
  const auto run = std::make_shared<DrawingRun>(desk, call->draw);
  desk.show(request.caller, run);
  DrawingRun::Told told;
  told.on_end = [&desk, call, reply, id = request.id](std::vector<Drawn> pictures,
                                                      std::exception_ptr failure) {
    if (failure) return desk.answer_failure(failure, id, "prompt", Dialect::a1111, *reply);
    send_json(*reply, txt2img_json(*call, desk.served(), stamp(desk.now()), pictures));
  };
  try {
    run->start(std::move(told), *reply);
  } catch (const Error& error) {
    throw refusal_of(error, "prompt");
  }
}

}  // namespace

void sd_txt2img(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  answer(desk, parse_txt2img(parse_json(request.body), desk.served()), request, reply);
}

void sd_img2img(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  answer(desk, parse_img2img(parse_json(request.body), desk.served()), request, reply);
}

// The drawings of this caller alone: the one that was asked for first, and how many there are.
void sd_progress(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  SdProgress progress;
  const auto drawings = desk.shown(request.caller);
  if (!drawings.empty()) {
    const Visible& first = *drawings.front();
    progress.share = first.progress();
    progress.steps = first.steps();
    progress.step = first.steps_done();
    for (const auto& each : drawings) progress.images += each->images();
    if (progress.share > 0) {
      progress.seconds_left = first.seconds() * (1 - progress.share) / progress.share;
    }
    const std::string& skip = request.query["skip_current_image"];
    if (skip != "true" && skip != "True" && skip != "1") progress.picture = first.picture();
  }
  send_json(*reply, progress_json(progress));
}

void sd_interrupt(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  for (const auto& drawing : desk.shown(request.caller)) drawing->interrupt();
  send_empty_object(*reply);
}

void sd_options(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, sd_options_json(desk.served()));
}

// Clients send back all that they were given; a checkpoint is the only one that means something.
void sd_set_options(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const Json body = parse_json(request.body);
  Fields fields(body);
  const Served& served = desk.served();
  const std::string asked = fields.text("sd_model_checkpoint").value_or("");
  if (!served.answers_to(asked) && asked != sd_model_json(served)["title"]) {
    throw Refusal(404, "model_not_found", "the model loaded is " + served.name,
                  "sd_model_checkpoint");
  }
  send_json(*reply, nullptr);
}

void sd_interrogate(Desk& desk, Request request, std::shared_ptr<Reply> reply) {
  const Json body = parse_json(request.body);
  Fields fields(body);
  AskRequest asked;
  asked.messages.push_back({"user", "Describe the picture.", {}});
  asked.messages.back().images.push_back(
      picture_of_base64(fields.required_text("image"), "image", desk.served().max_pixels));
  asked.max_tokens = 256;
  const auto ticket = std::make_shared<Ticket>(desk, "chat");
  const Job job = desk.engine().submit(asked, [ticket](std::string_view) {
    ticket->begun();
    return true;
  });
  reply->on_gone([job] { job.cancel(); });
  job.on_end([&desk, job, reply, ticket, id = request.id] {
    desk.work([&desk, job, reply, ticket, id] {
      try {
        send_json(*reply, {{"caption", job.answer().text}});
      } catch (...) {
        desk.answer_failure(std::current_exception(), id, "image", Dialect::a1111, *reply);
      }
    });
  });
}

void sd_models(Desk& desk, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, OrderedJson::array({sd_model_json(desk.served())}));
}

void sd_samplers(Desk&, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, OrderedJson::array({{{"name", "Default"},
                                         {"aliases", OrderedJson::array()},
                                         {"options", OrderedJson::object()}}}));
}

void sd_schedulers(Desk&, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, OrderedJson::array({{{"name", "default"},
                                         {"label", "Default"},
                                         {"aliases", OrderedJson::array()},
                                         {"default_rho", -1},
                                         {"need_inner_model", false}}}));
}

void sd_upscalers(Desk&, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, OrderedJson::array({{{"name", "None"},
                                         {"model_name", nullptr},
                                         {"model_path", nullptr},
                                         {"model_url", nullptr},
                                         {"scale", 4}}}));
}

void sd_empty_list(Desk&, Request, std::shared_ptr<Reply> reply) {
  send_json(*reply, OrderedJson::array());
}

void sd_flags(Desk&, Request, std::shared_ptr<Reply> reply) { send_empty_object(*reply); }

}  // namespace janus::serve
