// SPDX-License-Identifier: MIT
#include "serve/openai_edits.h"

#include <utility>

#include "base/sha256.h"
#include "serve/multipart.h"

namespace janus::serve {

namespace {

// What came, whichever way.
struct Form {
  struct File {
    std::string param;
    std::string bytes;
  };
  Json fields = Json::object();
  bool texts = false;
  std::vector<File> images;
  std::optional<File> mask;
};

Form form_of_parts(std::string_view content_type, std::string_view body) {
  Form form;
  form.texts = true;
  for (const FormPart& part : parse_multipart(content_type, body)) {
    if (part.name == "image" || part.name == "image[]") {
      form.images.push_back({part.name, std::string(part.content)});
    } else if (part.name == "mask") {
      form.mask = {"mask", std::string(part.content)};
    } else if (part.is_file) {
      throw Refusal(400, "unsupported_parameter",
                    part.name.substr(0, 64) + " is a file; image, image[] and mask are taken");
    } else {
      form.fields[part.name] = std::string(part.content);
    }
  }
  return form;
}

std::string bytes_of_url(const Json& holder, const std::string& path) {
  Fields fields(holder, path);
  const std::string param = fields.at("image_url");
  return file_of_url(fields.required_text("image_url"), param);
}

// Pictures are {"image_url": …}, or the URL itself under the names that a form has.
Form form_of_json(Json body) {
  Form form;
  form.fields = std::move(body);
  Fields fields(form.fields);
  if (const auto image = fields.text("image")) {
    form.images.push_back({"image", file_of_url(*image, "image")});
  }
  if (const Json* const images = fields.find("images")) {
    if (!images->is_array()) refuse_type("images", "a list of {\"image_url\": \"data:…\"}");
    for (size_t i = 0; i < images->size(); ++i) {
      const std::string path = "images[" + std::to_string(i) + "]";
      form.images.push_back({path + ".image_url", bytes_of_url((*images)[i], path)});
    }
  }
  if (const Json* const mask = fields.find("mask")) {
    form.mask = mask->is_string() ? Form::File{"mask", file_of_url(*fields.text("mask"), "mask")}
                                  : Form::File{"mask.image_url", bytes_of_url(*mask, "mask")};
  }
  form.fields.erase("image");
  form.fields.erase("images");
  form.fields.erase("mask");
  return form;
}

Form form_of(std::string_view content_type, std::string_view body) {
  return is_multipart(content_type) ? form_of_parts(content_type, body)
                                    : form_of_json(parse_json(body));
}

Outpaint side_of(Fields& fields) {
  const std::string side =
      fields.word("outpaint", {"none", "left", "right", "top", "bottom"}).value_or("none");
  if (side == "left") return Outpaint::left;
  if (side == "right") return Outpaint::right;
  if (side == "top") return Outpaint::top;
  return side == "bottom" ? Outpaint::bottom : Outpaint::none;
}

// The picture and what is kept of it.
void read_source(Fields& fields, const Form& form, const Served& served, bool has_prompt,
                 DrawCall& call) {
  if (form.images.empty()) {
    throw Refusal(400, "missing_required_parameter",
                  "image is missing: send the picture's file as image, or "
                  "images: [{\"image_url\": \"data:image/png;base64,…\"}]",
                  "image");
  }
  if (form.images.size() > 1) {
    throw Refusal(400, "too_many_images",
                  "one picture is edited at a time; this model was not trained for further ones",
                  form.images[1].param);
  }
  const Form::File& file = form.images.front();
  EditRequest edit;
  edit.image = read_picture(file.bytes, file.param, served.max_pixels);
  edit.outpaint = side_of(fields);
  edit.keep = static_cast<float>(fields.number("keep", 0, 1).value_or(.5));
  OrderedJson how{{"image_sha256", sha256_hex(file.bytes)}};
  if (form.mask) {
    edit.mask = read_mask(form.mask->bytes, form.mask->param, served.max_pixels);
    if (edit.mask->width != edit.image.width || edit.mask->height != edit.image.height) {
      throw Refusal(400, "mask_size_mismatch",
                    "the mask has " + std::to_string(edit.mask->width) + " x " +
                        std::to_string(edit.mask->height) + " pixels and the picture " +
                        std::to_string(edit.image.width) + " x " +
                        std::to_string(edit.image.height) + "; they must be of one size",
                    form.mask->param);
    }
    how["mask_sha256"] = sha256_hex(form.mask->bytes);
  } else if (edit.outpaint != Outpaint::none) {
    how["outpaint"] = *fields.text("outpaint");
  } else if (has_prompt && !fields.find("keep") && served.edits_by_instruction()) {
    edit.instruction = call.request.prompt;
    how["instruction"] = true;
  } else {
    how["keep"] = edit.keep;
  }
  begin_with(call, served, std::move(edit), std::move(how));
}

// An edit, or a variation, which has no prompt.
DrawCall parse(const Form& form, const Served& served, bool has_prompt) {
  Fields fields(form.fields, {}, form.texts);
  DrawCall call;
  if (has_prompt) {
    read_prompt(fields, call);
    fields.pass({"input_fidelity"});
  }
  read_call(fields, served, call);
  read_source(fields, form, served, has_prompt, call);
  call.ignored = fields.unread();
  return call;
}

}  // namespace

void begin_with(DrawCall& call, const Served& served, EditRequest edit, OrderedJson how) {
  if (!served.info.edits) {
    throw Refusal(400, "unsupported_value",
                  "the model that is served cannot edit: its checkpoint was loaded without the "
                  "codec's encoder");
  }
  edit.drawing = call.request;
  if (!edit.instruction.empty()) edit.drawing.prompt.clear();
  call.edit = std::make_shared<const EditRequest>(std::move(edit));
  call.edited = std::move(how);
}

DrawCall parse_edit(std::string_view content_type, std::string_view body, const Served& served) {
  return parse(form_of(content_type, body), served, true);
}

DrawCall parse_edit(Json body, const Served& served) {
  return parse(form_of_json(std::move(body)), served, true);
}

DrawCall parse_variation(std::string_view content_type, std::string_view body,
                         const Served& served) {
  return parse(form_of(content_type, body), served, false);
}

}  // namespace janus::serve
