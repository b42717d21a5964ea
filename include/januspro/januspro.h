/* januspro for C: the engine of januspro.hpp behind opaque handles.
 *
 *   januspro_engine_options options;
 *   januspro_engine_options_init(&options, sizeof options);
 *   options.checkpoint = "Janus-Pro-1B";
 *   januspro_engine *engine;
 *   if (januspro_load(&options, &engine) != JANUSPRO_OK) tell(januspro_last_error());
 *
 * Structs. Each begins with its size and grows at its end in later versions. januspro_NAME_init()
 * sets the size and the defaults; a struct that was not initialised is refused. Lists of structs
 * are lists of pointers. What the library hands to a callback is its own and valid during the call
 * only.
 *
 * Errors. A call that fails returns its code and leaves a text for people: what is wrong, where,
 * and the likely cure. No C++ type or exception crosses this border.
 *
 * Threads. Every call may come from any thread. Requests run together on a thread of the engine,
 * which calls their callbacks; what each gets does not depend on the others. A callback may submit,
 * look and cancel, and nothing else.
 *
 * Text is UTF-8 and ends with a zero byte unless a length stands beside it. Handles and memory that
 * the library gives are freed by the januspro_..._free() of their kind; NULL is nothing to free.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "januspro/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct januspro_engine januspro_engine;
typedef struct januspro_job januspro_job;

typedef enum januspro_code {
  JANUSPRO_OK = 0,
  JANUSPRO_BAD_INPUT = 1,      /* a request, image or option cannot be used as given */
  JANUSPRO_BAD_CHECKPOINT = 2, /* a model file is damaged, incomplete or of another kind */
  JANUSPRO_NOT_SUPPORTED = 3,  /* well formed, but outside what the library does */
  JANUSPRO_OUT_OF_MEMORY = 4,  /* does not fit in the memory allowed */
  JANUSPRO_DEVICE_FAILURE = 5, /* disk, pipe or processor refused */
  JANUSPRO_CANCELLED = 6,      /* the caller asked to stop */
  JANUSPRO_BUSY = 7,           /* not now; the same call may succeed later */
  JANUSPRO_BUG = 8             /* a fault of the library or of a callback */
} januspro_code;

/* The text of the last call that failed on this thread, "" when none has; valid until the next call
 * that fails on it. What a job failed of is in its view. */
JANUSPRO_API const char* januspro_last_error(void);

/* "0.1.0" */
JANUSPRO_API const char* januspro_version(void);

/* --- pictures ----------------------------------------------------------------------------------
 */

/* 8-bit RGB, rows from the top: rgb[(y * width + x) * 3 + channel]. */
typedef struct januspro_image {
  size_t size;
  int width;
  int height;
  const uint8_t* rgb;
} januspro_image;

typedef enum januspro_format {
  JANUSPRO_PNG = 0,
  JANUSPRO_JPEG = 1,
  JANUSPRO_WEBP = 2
} januspro_format;

typedef struct januspro_encode_options {
  size_t size;
  int format;             /* of januspro_format; januspro_image_save() goes by the name instead */
  int quality;            /* of JPEG and lossy WebP, 1 to 100; 0: JPEG at 95, WebP without loss */
  const char* parameters; /* text that the picture carries under this keyword; NULL: none */
} januspro_encode_options;

JANUSPRO_API void januspro_image_init(januspro_image* image, size_t size);
JANUSPRO_API void januspro_encode_options_init(januspro_encode_options* options, size_t size);

/* PNG, JPEG, WebP, GIF (first frame) or BMP, by content, turned upright. */
JANUSPRO_API januspro_code januspro_image_load(const char* path, januspro_image** image);
/* `name` appears in messages; NULL: "picture". */
JANUSPRO_API januspro_code januspro_image_decode(const void* bytes, size_t count, const char* name,
                                                 januspro_image** image);
JANUSPRO_API void januspro_image_free(januspro_image* image);
/* Options may be NULL. The file is there whole or not at all. */
JANUSPRO_API januspro_code januspro_image_save(const januspro_image* image, const char* path,
                                               const januspro_encode_options* options);
JANUSPRO_API januspro_code januspro_image_encode(const januspro_image* image,
                                                 const januspro_encode_options* options,
                                                 uint8_t** bytes, size_t* count);
JANUSPRO_API void januspro_bytes_free(uint8_t* bytes);

/* --- the engine --------------------------------------------------------------------------------
 */

/* As EngineOptions of januspro.hpp, where each field is explained. NULL text: the default. */
typedef struct januspro_engine_options {
  size_t size;
  const char* checkpoint;
  const char* mmproj;
  const char* halves;
  const char* backend;
  int threads;
  const char* isa;
  const char* weights;
  const char* cache;
  int round_rope; /* 0 or 1 */
  int pictures_at_once;
  int (*on_load)(void* user, double fraction); /* 0 stops with JANUSPRO_CANCELLED */
  void (*on_warning)(void* user, const char* line);
  void* user;
  int remember;                /* 0 or 1 */
  int64_t memory;              /* bytes; 0: what is free */
  int ahead;                   /* 0: as many positions in one pass as pay; 1: one */
  const char* const* adapters; /* directories */
  const float* adapter_scales; /* of each; NULL: 1 */
  size_t adapter_count;
  int parallel;            /* of all requests; 0: as many as fit */
  const char* edit_layout; /* NULL: as the checkpoint says */
} januspro_engine_options;

/* As ModelInfo of januspro.hpp, without its adapters. Texts are the engine's. */
typedef struct januspro_info {
  size_t size;
  const char* name;
  const char* layout;
  const char* hash;
  const char* backend;
  const char* weights;
  const char* cache;
  int threads;
  int reads;
  int draws;
  int64_t parameters;
  int64_t weight_bytes;
  int64_t cache_token_bytes;
  int64_t context;
  float guidance;
  int vocabulary;
  int vision_image;
  int vision_tokens;
  int image;
  int image_tokens;
  int codes;
  int edits;               /* by keeping codes: what draws and the codec's encoder were loaded */
  const char* edit_layout; /* by instruction; "none": the model was not taught to */
  float image_guidance;    /* of edits by instruction: the layout's own */
  int parallel;            /* pictures and answers that are worked on together */
} januspro_info;

JANUSPRO_API void januspro_engine_options_init(januspro_engine_options* options, size_t size);
JANUSPRO_API void januspro_info_init(januspro_info* info, size_t size);

/* *engine is NULL after a failure. */
JANUSPRO_API januspro_code januspro_load(const januspro_engine_options* options,
                                         januspro_engine** engine);
/* Cancels what is under way and waits for it; its jobs can still be read. Not from a callback. */
JANUSPRO_API void januspro_free(januspro_engine* engine);
JANUSPRO_API januspro_code januspro_engine_info(const januspro_engine* engine, januspro_info* info);

/* Makes januspro_preview() ready, from `folder` or, NULL, without keeping anything. */
JANUSPRO_API januspro_code januspro_prepare_preview(januspro_engine* engine, const char* folder);
/* A cheap look at an unfinished picture: 2 x 2 pixels a code, grey where none is yet. */
JANUSPRO_API januspro_code januspro_preview(const januspro_engine* engine, const int32_t* codes,
                                            size_t count, januspro_image** image);

/* --- requests ----------------------------------------------------------------------------------
 */

/* As DrawRequest of requests.hpp. */
typedef struct januspro_draw_request {
  size_t size;
  const char* prompt;   /* NULL: empty */
  const char* negative; /* NULL: empty */
  int images;
  uint64_t seed;
  float guidance; /* NAN: what the checkpoint recommends */
  float temperature;
  int top_k;
  float top_p;
} januspro_draw_request;

/* As EditMask of image.hpp. */
typedef struct januspro_mask {
  size_t size;
  int width;
  int height;
  const uint8_t* redraw; /* redraw[y * width + x] not 0: this pixel is drawn anew */
} januspro_mask;

typedef enum januspro_outpaint {
  JANUSPRO_OUTPAINT_NONE = 0,
  JANUSPRO_OUTPAINT_LEFT = 1,
  JANUSPRO_OUTPAINT_RIGHT = 2,
  JANUSPRO_OUTPAINT_TOP = 3,
  JANUSPRO_OUTPAINT_BOTTOM = 4
} januspro_outpaint;

/* As EditRequest of requests.hpp. */
typedef struct januspro_edit_request {
  size_t size;
  const januspro_draw_request* drawing; /* what is to be seen there, and how it is drawn */
  const januspro_image* image;
  const januspro_mask* mask; /* of the image's size; NULL: none */
  int outpaint;              /* of januspro_outpaint */
  float keep;
  const char* instruction; /* NULL: an edit by keeping */
  float image_guidance;    /* NAN: the layout's own */
} januspro_edit_request;

typedef enum januspro_phase {
  JANUSPRO_PROMPT = 0,
  JANUSPRO_CODES = 1,
  JANUSPRO_PIXELS = 2
} januspro_phase;

/* A picture that is not finished: its codes so far. */
typedef struct januspro_sketch {
  size_t size;
  int request;
  int index;
  const int32_t* codes;
  size_t code_count;
} januspro_sketch;

typedef struct januspro_progress {
  size_t size;
  januspro_phase phase;
  int64_t done;  /* codes of all pictures of the request */
  int64_t total; /* ... when it ends */
  const januspro_sketch* const* sketches;
  size_t sketch_count;
} januspro_progress;

typedef struct januspro_picture {
  size_t size;
  const januspro_image* image;
  const int32_t* codes; /* row by row from the top */
  size_t code_count;
  uint64_t seed; /* draws it again with images = 1 */
  int request;   /* which of the requests given together */
  int index;     /* which picture of that request */
} januspro_picture;

/* An unfinished picture in full size; rows that are not drawn yet are grey. */
typedef struct januspro_partial {
  size_t size;
  const januspro_image* image;
  int request;
  int index;
  int number; /* which of the partials, from 0 */
  int rows;   /* of codes, drawn so far */
} januspro_partial;

typedef struct januspro_draw_events {
  size_t size;
  int (*on_step)(void* user, const januspro_progress* progress); /* 0 stops */
  void (*on_picture)(void* user, const januspro_picture* picture);
  void* user;
  int partials; /* looks at a picture while it grows, each for the price of a decoding */
  void (*on_partial)(void* user, const januspro_partial* partial);
} januspro_draw_events;

/* As ChatMessage of requests.hpp. */
typedef struct januspro_message {
  size_t size;
  const char* role; /* "user" or "assistant"; NULL: "user" */
  const char* text; /* NULL: empty */
  const januspro_image* const* images;
  size_t image_count;
} januspro_message;

/* As AskRequest of requests.hpp. */
typedef struct januspro_ask_request {
  size_t size;
  const januspro_message* const* messages;
  size_t message_count;
  const char* system; /* NULL: the model's own; "": none */
  int max_tokens;
  float temperature;
  int top_k;
  float top_p;
  uint64_t seed;
  const char* const* stop;
  size_t stop_count;
  int logprobs; /* tell each token's probability, and this many of the likeliest; -1: neither */
} januspro_ask_request;

typedef enum januspro_finish {
  JANUSPRO_FINISH_END = 0,   /* the end token */
  JANUSPRO_FINISH_STOP = 1,  /* a stop string */
  JANUSPRO_FINISH_LENGTH = 2 /* max_tokens, or the context is full */
} januspro_finish;

typedef struct januspro_answer {
  size_t size;
  const char* text;
  size_t text_bytes;
  januspro_finish finish;
  int64_t prompt_tokens;
  int64_t answer_tokens;
  int64_t cached_tokens; /* of the prompt, those that were not run again */
} januspro_answer;

/* One token with its probability: the one that was chosen, or one of the likeliest there. */
typedef struct januspro_scored_token {
  size_t size;
  const char* bytes; /* of its text; need not be whole characters, no zero byte ends them */
  size_t byte_count;
  float logprob; /* natural logarithm, at temperature 1 and without limits */
} januspro_scored_token;

typedef struct januspro_ask_events {
  size_t size;
  /* Whole characters as they come; length 0 while the prompt is read. 0 stops. */
  int (*on_text)(void* user, const char* piece, size_t length);
  void* user;
} januspro_ask_events;

/* As EmbedRequest of requests.hpp. */
typedef struct januspro_embed_request {
  size_t size;
  const char* text; /* NULL: empty */
  const januspro_image* const* images;
  size_t image_count;
} januspro_embed_request;

typedef struct januspro_embedding {
  size_t size;
  const float* values; /* of Euclidean length 1 together; as many as the language tower is wide */
  size_t value_count;
  int64_t prompt_tokens;
} januspro_embedding;

JANUSPRO_API void januspro_draw_request_init(januspro_draw_request* request, size_t size);
JANUSPRO_API void januspro_mask_init(januspro_mask* mask, size_t size);
JANUSPRO_API void januspro_edit_request_init(januspro_edit_request* request, size_t size);
JANUSPRO_API void januspro_draw_events_init(januspro_draw_events* events, size_t size);
JANUSPRO_API void januspro_picture_init(januspro_picture* picture, size_t size);
JANUSPRO_API void januspro_message_init(januspro_message* message, size_t size);
JANUSPRO_API void januspro_ask_request_init(januspro_ask_request* request, size_t size);
JANUSPRO_API void januspro_ask_events_init(januspro_ask_events* events, size_t size);
JANUSPRO_API void januspro_answer_init(januspro_answer* answer, size_t size);
JANUSPRO_API void januspro_scored_token_init(januspro_scored_token* token, size_t size);
JANUSPRO_API void januspro_embed_request_init(januspro_embed_request* request, size_t size);
JANUSPRO_API void januspro_embedding_init(januspro_embedding* embedding, size_t size);

/* Work is done when these return, and *job holds its results; it is NULL after a failure. Events
 * may be NULL. */
JANUSPRO_API januspro_code januspro_draw(januspro_engine* engine,
                                         const januspro_draw_request* const* requests, size_t count,
                                         const januspro_draw_events* events, januspro_job** job);
JANUSPRO_API januspro_code januspro_edit(januspro_engine* engine,
                                         const januspro_edit_request* request,
                                         const januspro_draw_events* events, januspro_job** job);
JANUSPRO_API januspro_code januspro_ask(januspro_engine* engine,
                                        const januspro_ask_request* request,
                                        const januspro_ask_events* events, januspro_job** job);
JANUSPRO_API januspro_code januspro_embed(januspro_engine* engine,
                                          const januspro_embed_request* request,
                                          januspro_job** job);

/* These return at once. A request that cannot be used as given is refused here; what happens later
 * is the job's. */
JANUSPRO_API januspro_code januspro_submit_draw(januspro_engine* engine,
                                                const januspro_draw_request* const* requests,
                                                size_t count, const januspro_draw_events* events,
                                                januspro_job** job);
JANUSPRO_API januspro_code januspro_submit_edit(januspro_engine* engine,
                                                const januspro_edit_request* request,
                                                const januspro_draw_events* events,
                                                januspro_job** job);
JANUSPRO_API januspro_code januspro_submit_ask(januspro_engine* engine,
                                               const januspro_ask_request* request,
                                               const januspro_ask_events* events,
                                               januspro_job** job);
JANUSPRO_API januspro_code januspro_submit_embed(januspro_engine* engine,
                                                 const januspro_embed_request* request,
                                                 januspro_job** job);

/* --- jobs --------------------------------------------------------------------------------------
 */

typedef enum januspro_state {
  JANUSPRO_WAITING = 0,
  JANUSPRO_RUNNING = 1,
  JANUSPRO_DONE = 2,
  JANUSPRO_FAILED = 3,
  JANUSPRO_STOPPED = 4 /* by januspro_job_cancel() or a callback */
} januspro_state;

/* What has become of a job, all of one moment. */
typedef struct januspro_view {
  size_t size;
  januspro_state state;
  uint64_t change; /* rises with every change of the job */
  januspro_phase phase;
  int64_t codes; /* chosen so far, of all pictures */
  int64_t codes_total;
  int64_t pictures; /* finished so far */
  int64_t pictures_total;
  int64_t text_bytes; /* of an answer so far */
  januspro_code code; /* what it failed of; JANUSPRO_OK otherwise */
  const char* error;  /* in words, "" otherwise; the job's */
} januspro_view;

JANUSPRO_API void januspro_view_init(januspro_view* view, size_t size);
JANUSPRO_API januspro_code januspro_job_view(januspro_job* job, januspro_view* view);

/* 1 when the job is over, 0 when the time has passed; less than 0 waits as long as it takes. Not
 * from a callback of the same job: that returns 0 at once. */
JANUSPRO_API int januspro_job_wait(januspro_job* job, int64_t milliseconds);
/* Waits until something is newer than `seen` (of an earlier view): 1, as when the job is over. */
JANUSPRO_API int januspro_job_wait_change(januspro_job* job, uint64_t seen, int64_t milliseconds);

/* A job that waits is over at once, one that runs after the present step of the model. */
JANUSPRO_API void januspro_job_cancel(januspro_job* job);

/* While it runs and afterwards, whatever its end. Pictures are numbered in the order of requests,
 * then images, from 0; they, the answer and the embedding are the job's. */

/* Codes of a picture so far. *count: how many there is room for, then how many there are. */
JANUSPRO_API januspro_code januspro_job_codes(januspro_job* job, int64_t number, int32_t* codes,
                                              size_t* count);
/* JANUSPRO_BUSY as long as the picture is not finished. */
JANUSPRO_API januspro_code januspro_job_picture(januspro_job* job, int64_t number,
                                                januspro_picture* picture);
/* The answer so far, from byte `from` on. *count: how many bytes there is room for, then how many
 * there are from there on; no zero byte is added. */
JANUSPRO_API januspro_code januspro_job_text(januspro_job* job, size_t from, char* text,
                                             size_t* count);
/* JANUSPRO_BUSY as long as the job is not over, JANUSPRO_BAD_INPUT for one of another kind. */
JANUSPRO_API januspro_code januspro_job_answer(januspro_job* job, januspro_answer* answer);
JANUSPRO_API januspro_code januspro_job_embedding(januspro_job* job, januspro_embedding* embedding);

/* Of token `number` of the answer, from 0, where the request asked for logprobs: the chosen one,
 * for rank 0, or the likeliest there, from rank 1 on. JANUSPRO_BUSY as above. */
JANUSPRO_API januspro_code januspro_job_token(januspro_job* job, int64_t number, int rank,
                                              januspro_scored_token* token);

/* Cancels a job that is not over; none of its callbacks runs when this has returned, except where a
 * callback of the same job calls it. */
JANUSPRO_API void januspro_job_free(januspro_job* job);

#ifdef __cplusplus
}
#endif
