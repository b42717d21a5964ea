/* A program in plain C against the installed library: draws, watches, cancels, asks, and meets an
 * error. hello MODEL FOLDER writes FOLDER/hello-c.png. SPDX-License-Identifier: MIT */
#include <januspro/januspro.h>
#include <stdio.h>
#include <string.h>

#define CHECK(ok)                                                                        \
  do {                                                                                   \
    if (!(ok)) {                                                                         \
      fprintf(stderr, "hello.c:%d: not " #ok "; %s\n", __LINE__, januspro_last_error()); \
      return 1;                                                                          \
    }                                                                                    \
  } while (0)

static int count_steps(void* user, const januspro_progress* progress) {
  *(int*)user += progress->total > 0;
  return 1;
}

static int print_piece(void* user, const char* piece, size_t length) {
  return fwrite(piece, 1, length, (FILE*)user) == length;
}

/* Draws one picture and looks on; a second one is cancelled. */
static int draw(januspro_engine* engine, const char* path) {
  januspro_draw_request request;
  const januspro_draw_request* requests[1];
  januspro_draw_events events;
  januspro_job *job, *unwanted;
  januspro_picture picture;
  januspro_view view;
  int steps = 0;
  januspro_draw_request_init(&request, sizeof request);
  januspro_draw_events_init(&events, sizeof events);
  januspro_picture_init(&picture, sizeof picture);
  januspro_view_init(&view, sizeof view);
  request.prompt = "a red ball";
  request.seed = 7;
  requests[0] = &request;
  events.on_step = count_steps;
  events.user = &steps;
  CHECK(januspro_submit_draw(engine, requests, 1, &events, &job) == JANUSPRO_OK);
  request.images = 1000;
  CHECK(januspro_submit_draw(engine, requests, 1, NULL, &unwanted) == JANUSPRO_OK);
  do {
    januspro_job_wait_change(job, view.change, 1000);
    CHECK(januspro_job_view(job, &view) == JANUSPRO_OK);
  } while (view.state == JANUSPRO_WAITING || view.state == JANUSPRO_RUNNING);
  CHECK(view.state == JANUSPRO_DONE && view.codes == view.codes_total && steps > 0);
  januspro_job_cancel(unwanted);
  CHECK(januspro_job_wait(unwanted, 60000) == 1);
  CHECK(januspro_job_view(unwanted, &view) == JANUSPRO_OK);
  CHECK(view.state == JANUSPRO_STOPPED && view.code == JANUSPRO_CANCELLED && view.error[0]);
  januspro_job_free(unwanted);
  CHECK(januspro_job_picture(job, 0, &picture) == JANUSPRO_OK);
  CHECK(januspro_image_save(picture.image, path, NULL) == JANUSPRO_OK);
  januspro_job_free(job);
  return 0;
}

static int ask(januspro_engine* engine, const char* path) {
  januspro_image* image;
  const januspro_image* images[1];
  januspro_message message;
  const januspro_message* messages[1];
  januspro_ask_request request;
  januspro_ask_events events;
  januspro_answer answer;
  januspro_job* job;
  CHECK(januspro_image_load(path, &image) == JANUSPRO_OK);
  januspro_message_init(&message, sizeof message);
  januspro_ask_request_init(&request, sizeof request);
  januspro_ask_events_init(&events, sizeof events);
  januspro_answer_init(&answer, sizeof answer);
  images[0] = image;
  message.text = "What is in the picture?";
  message.images = images;
  message.image_count = 1;
  messages[0] = &message;
  request.messages = messages;
  request.message_count = 1;
  events.on_text = print_piece;
  events.user = stdout;
  CHECK(januspro_ask(engine, &request, &events, &job) == JANUSPRO_OK);
  puts("");
  CHECK(januspro_job_answer(job, &answer) == JANUSPRO_OK);
  CHECK(answer.text_bytes > 0 && strlen(answer.text) == answer.text_bytes);
  januspro_job_free(job);
  januspro_image_free(image);
  return 0;
}

int main(int count, char** arguments) {
  januspro_engine_options options;
  januspro_engine* engine;
  char path[1024];
  CHECK(count == 3);
  snprintf(path, sizeof path, "%s/hello-c.png", arguments[2]);
  januspro_engine_options_init(&options, sizeof options);
  options.checkpoint = "here/is/no/model";
  CHECK(januspro_load(&options, &engine) != JANUSPRO_OK);
  CHECK(engine == NULL && strstr(januspro_last_error(), "here/is/no/model"));
  options.checkpoint = arguments[1];
  CHECK(januspro_load(&options, &engine) == JANUSPRO_OK);
  if (draw(engine, path) != 0 || ask(engine, path) != 0) return 1;
  januspro_free(engine);
  printf("hello from C, januspro %s\n", januspro_version());
  return 0;
}
