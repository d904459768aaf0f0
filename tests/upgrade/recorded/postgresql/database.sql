SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.xinshi_account_state (
    account character varying(64) NOT NULL,
    held_since timestamp with time zone,
    held_until timestamp with time zone,
    held_code character varying(64),
    held_why character varying(200),
    doubts integer DEFAULT 0 NOT NULL,
    probe_at timestamp with time zone,
    settle_until timestamp with time zone,
    counter json,
    balance json,
    balance_at timestamp with time zone,
    pace json,
    learned json,
    gather_until timestamp with time zone,
    proven character varying(64),
    held_login character varying(64),
    health json
);
CREATE TABLE public.xinshi_alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.xinshi_allowance (
    what character varying(32) NOT NULL,
    who character varying(128) NOT NULL,
    taken json NOT NULL,
    forget_at timestamp with time zone NOT NULL
);
CREATE TABLE public.xinshi_api_key (
    id bigint NOT NULL,
    name character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    scopes character varying(200) NOT NULL,
    test boolean NOT NULL,
    rate double precision,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    revoked_at timestamp with time zone
);
CREATE SEQUENCE public.xinshi_api_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_api_key_id_seq OWNED BY public.xinshi_api_key.id;
CREATE TABLE public.xinshi_callback (
    id bigint NOT NULL,
    sender character varying(64) NOT NULL,
    url text NOT NULL,
    standing boolean NOT NULL,
    inbound boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone
);
CREATE TABLE public.xinshi_callback_event (
    id bigint NOT NULL,
    callback_id bigint NOT NULL,
    request_id bigint,
    lo integer,
    hi integer,
    inbound_id bigint,
    created_at timestamp with time zone NOT NULL,
    next_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    problem character varying(200)
);
CREATE SEQUENCE public.xinshi_callback_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_callback_event_id_seq OWNED BY public.xinshi_callback_event.id;
CREATE SEQUENCE public.xinshi_callback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_callback_id_seq OWNED BY public.xinshi_callback.id;
CREATE TABLE public.xinshi_campaign (
    request_id bigint NOT NULL,
    name character varying(200) NOT NULL,
    state character varying(16) NOT NULL,
    retry_of bigint,
    left_out json,
    started_at timestamp with time zone,
    finished_at timestamp with time zone
);
CREATE TABLE public.xinshi_event (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    name character varying(64) NOT NULL,
    who character varying(64) NOT NULL,
    account character varying(64),
    request_id bigint,
    n integer,
    submission_id bigint,
    detail json
);
CREATE SEQUENCE public.xinshi_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_event_id_seq OWNED BY public.xinshi_event.id;
CREATE TABLE public.xinshi_inbound_message (
    id bigint NOT NULL,
    account character varying(64) NOT NULL,
    msisdn character varying(16) NOT NULL,
    text text NOT NULL,
    extension character varying(20),
    service_number character varying(32),
    gateway_id character varying(64),
    received_at timestamp with time zone,
    digest character varying(32) NOT NULL,
    inbox_id bigint NOT NULL,
    stored_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.xinshi_inbound_message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_inbound_message_id_seq OWNED BY public.xinshi_inbound_message.id;
CREATE TABLE public.xinshi_inbox (
    id bigint NOT NULL,
    account character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    status smallint,
    target text,
    headers json,
    body bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    parsed_at timestamp with time zone,
    rows integer,
    damaged integer
);
CREATE SEQUENCE public.xinshi_inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_inbox_id_seq OWNED BY public.xinshi_inbox.id;
CREATE TABLE public.xinshi_message (
    request_id bigint NOT NULL,
    n integer NOT NULL,
    msisdn character varying(16) NOT NULL,
    state character varying(16),
    submission_id bigint,
    single boolean,
    variables json,
    code character varying(64),
    finished_at timestamp with time zone
);
CREATE TABLE public.xinshi_request (
    id bigint NOT NULL,
    sender character varying(64) NOT NULL,
    key character varying(200),
    fingerprint character varying(64),
    class character varying(16) NOT NULL,
    account character varying(64),
    text text NOT NULL,
    template character varying(64),
    extension character varying(20),
    variables json,
    options json,
    personal boolean NOT NULL,
    kinds character varying(40) NOT NULL,
    not_before timestamp with time zone,
    not_after timestamp with time zone,
    total integer NOT NULL,
    next_n integer NOT NULL,
    next_at timestamp with time zone,
    rest character varying(16) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    callback_id bigint
);
CREATE TABLE public.xinshi_submission (
    id bigint NOT NULL,
    account character varying(64) NOT NULL,
    class character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    request_id bigint NOT NULL,
    lo integer,
    hi integer,
    size integer NOT NULL,
    segments smallint NOT NULL,
    fence integer NOT NULL,
    lease_until timestamp with time zone,
    owner character varying(64),
    next_at timestamp with time zone,
    not_after timestamp with time zone,
    attempts integer NOT NULL,
    reference character varying(32),
    gateway_id character varying(64),
    outcome character varying(16),
    code character varying(64),
    words character varying(200),
    parent_id bigint,
    resend_of bigint,
    created_at timestamp with time zone NOT NULL,
    called_at timestamp with time zone,
    answered_at timestamp with time zone,
    closed_at timestamp with time zone
);
CREATE VIEW public.xinshi_messages AS
 SELECT xinshi_message.request_id,
    xinshi_message.n,
    ((((xinshi_message.request_id)::character varying(20))::text || '-'::text) || ((xinshi_message.n)::character varying(10))::text) AS id,
    xinshi_message.msisdn,
    xinshi_request.class,
    COALESCE(xinshi_message.state, (
        CASE
            WHEN ((xinshi_submission.resend_of IS NOT NULL) AND ((xinshi_submission.state)::text = ANY ((ARRAY['planned'::character varying, 'not_sent'::character varying])::text[]))) THEN 'unknown'::text
            WHEN ((xinshi_submission.state)::text = 'planned'::text) THEN 'queued'::text
            WHEN ((xinshi_submission.state)::text = 'in_flight'::text) THEN 'submitting'::text
            WHEN ((xinshi_submission.state)::text = 'accepted'::text) THEN 'submitted'::text
            WHEN ((xinshi_submission.state)::text = 'rejected'::text) THEN 'rejected'::text
            WHEN ((xinshi_submission.state)::text = 'not_sent'::text) THEN 'queued'::text
            WHEN ((xinshi_submission.state)::text = 'unknown'::text) THEN 'unknown'::text
            ELSE NULL::text
        END)::character varying, xinshi_request.rest) AS state,
    COALESCE(xinshi_submission.account, xinshi_request.account) AS account,
    COALESCE(xinshi_message.code, xinshi_submission.code) AS code,
        CASE
            WHEN (xinshi_message.code IS NULL) THEN xinshi_submission.words
            ELSE NULL::character varying
        END AS code_text,
    xinshi_submission.gateway_id,
    xinshi_submission.segments,
    COALESCE(xinshi_submission.attempts, 0) AS attempts,
    xinshi_submission.id AS submission_id,
    xinshi_request.created_at,
        CASE
            WHEN ((xinshi_submission.state)::text = 'accepted'::text) THEN xinshi_submission.answered_at
            ELSE NULL::timestamp with time zone
        END AS submitted_at,
    COALESCE(xinshi_message.finished_at,
        CASE
            WHEN ((xinshi_submission.state)::text = 'rejected'::text) THEN xinshi_submission.answered_at
            ELSE NULL::timestamp with time zone
        END) AS finished_at,
    xinshi_submission.closed_at,
    xinshi_request.sender,
    xinshi_message.single
   FROM ((public.xinshi_message
     JOIN public.xinshi_request ON ((xinshi_request.id = xinshi_message.request_id)))
     LEFT JOIN public.xinshi_submission ON ((xinshi_submission.id = COALESCE(xinshi_message.submission_id, ( SELECT over.id
           FROM public.xinshi_submission over
          WHERE ((over.request_id = xinshi_message.request_id) AND (over.lo <= xinshi_message.n) AND (over.hi > xinshi_message.n) AND ((over.state)::text <> 'not_sent'::text))
          ORDER BY over.lo DESC
         LIMIT 1)))));
CREATE TABLE public.xinshi_opt_out (
    msisdn character varying(16) NOT NULL,
    since timestamp with time zone NOT NULL,
    why character varying(200) NOT NULL
);
CREATE TABLE public.xinshi_recipient (
    account character varying(64) NOT NULL,
    msisdn character varying(16) NOT NULL,
    calls json NOT NULL,
    forget_at timestamp with time zone NOT NULL
);
CREATE TABLE public.xinshi_report (
    id bigint NOT NULL,
    account character varying(64) NOT NULL,
    msisdn character varying(16) NOT NULL,
    reference character varying(64),
    gateway_id character varying(64),
    status character varying(16) NOT NULL,
    code character varying(64) NOT NULL,
    words character varying(200),
    reported_at timestamp with time zone,
    digest character varying(32) NOT NULL,
    inbox_id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    request_id bigint,
    n integer
);
CREATE SEQUENCE public.xinshi_report_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_report_id_seq OWNED BY public.xinshi_report.id;
CREATE SEQUENCE public.xinshi_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_request_id_seq OWNED BY public.xinshi_request.id;
CREATE SEQUENCE public.xinshi_submission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.xinshi_submission_id_seq OWNED BY public.xinshi_submission.id;
CREATE TABLE public.xinshi_tick (
    name character varying(100) NOT NULL,
    next_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    owner character varying(64),
    cursor json
);
ALTER TABLE ONLY public.xinshi_api_key ALTER COLUMN id SET DEFAULT nextval('public.xinshi_api_key_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_callback ALTER COLUMN id SET DEFAULT nextval('public.xinshi_callback_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_callback_event ALTER COLUMN id SET DEFAULT nextval('public.xinshi_callback_event_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_event ALTER COLUMN id SET DEFAULT nextval('public.xinshi_event_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_inbound_message ALTER COLUMN id SET DEFAULT nextval('public.xinshi_inbound_message_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_inbox ALTER COLUMN id SET DEFAULT nextval('public.xinshi_inbox_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_report ALTER COLUMN id SET DEFAULT nextval('public.xinshi_report_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_request ALTER COLUMN id SET DEFAULT nextval('public.xinshi_request_id_seq'::regclass);
ALTER TABLE ONLY public.xinshi_submission ALTER COLUMN id SET DEFAULT nextval('public.xinshi_submission_id_seq'::regclass);
INSERT INTO public.xinshi_account_state VALUES ('paced', NULL, NULL, NULL, NULL, 0, '2026-11-27 15:24:45.176629+00', NULL, NULL, '{"pools": [{"name": "texts", "remaining": 100000000, "postpaid": false, "used": true}], "sent": null}', '2026-11-27 15:24:45.235211+00', '{"at": 1795793093636242, "since": 1795793089188527, "levels": {"learned": 2107840559}, "retry": 1795793092188527}', '{"refused": 1.0, "at": 1795793088.531273, "rest_until": 0.0}', NULL, 'ca1c5b512b5f5d788e84dc92ee0581a9d39e0d20774358a923983478ce4d3dc6', NULL, NULL);
INSERT INTO public.xinshi_account_state VALUES ('counted', '2026-11-27 15:24:58.573191+00', NULL, 'by hand', 'the contract is under review', 1, '2026-11-27 15:24:58.163854+00', '2026-11-27 15:25:20.163854+00', '{"sent": 1, "called": "2026-11-27T15:24:53.768093+00:00", "floor": 0}', '{"pools": [{"name": "texts", "remaining": 100000000, "postpaid": false, "used": true}], "sent": 0}', '2026-11-27 15:24:45.190379+00', NULL, NULL, NULL, '02b75da6ad0b0cda36de85e562a28acd51c39b4ce896095e9a3d7300e8a1245d', NULL, NULL);
INSERT INTO public.xinshi_account_state VALUES ('locked', '2026-11-27 15:24:45.119082+00', NULL, '405', 'API ID 或 API KEY 不正确', 3, '2026-11-27 15:24:45.127995+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'fd72826676a6b787bcf3f94012251573edeac59afc3c2b98b9ab3488c991bcca', NULL);
INSERT INTO public.xinshi_account_state VALUES ('first', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, '{"pools": [{"name": "member", "remaining": 100000000, "postpaid": false, "used": false}, {"name": "gateway", "remaining": 99999995, "postpaid": false, "used": true}, {"name": "card", "remaining": 100000000, "postpaid": false, "used": false}], "sent": null}', '2026-11-27 15:24:45.098358+00', NULL, NULL, NULL, '209b4d9e7c421409a7277fef14729cb555ec7e6ec7af36577594364ee8011a5a', NULL, NULL);
INSERT INTO public.xinshi_account_state VALUES ('second', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, '{"pools": [{"name": "balance", "remaining": 99999999, "postpaid": false, "used": true}], "sent": null}', '2026-11-27 15:24:45.170157+00', NULL, NULL, NULL, 'd4188ca05e0cb4d36da27bdbabb2d616e1b528585d32e662713f0f8d48d2bb87', NULL, NULL);
INSERT INTO public.xinshi_alembic_version VALUES ('0003');
INSERT INTO public.xinshi_allowance VALUES ('otp_recipient', '13800138082', '[1795793104586]', '2026-11-27 16:25:04.586+00');
INSERT INTO public.xinshi_api_key VALUES (2, 'former', '6aaa4bfba2edd596264cc3693b914b894b93b8f7b058b4dc97a57a4eeffab9a8', 'read,send', false, NULL, '2026-11-27 15:24:38.524348+00', NULL, '2026-11-27 15:24:39.546555+00');
INSERT INTO public.xinshi_api_key VALUES (3, 'crm', '356b68c189a156ce13aeb7506edcfb3aa5e352d0fb853d56f5c18103076b7302', 'campaigns', false, NULL, '2026-11-27 15:24:40.544271+00', '2026-11-27 15:24:59.374136+00', NULL);
INSERT INTO public.xinshi_api_key VALUES (1, 'shop', 'b073e8e778f6bdcee51b16bbd91cf0999880a622bc20f599fa726329af9725d2', 'read,send', false, NULL, '2026-11-27 15:24:37.391959+00', '2026-11-27 15:25:04.426104+00', NULL);
INSERT INTO public.xinshi_callback VALUES (1, 'shop', 'http://127.0.0.1:46289/told', true, false, '2026-11-27 15:24:41.664014+00', NULL);
INSERT INTO public.xinshi_callback_event VALUES (3, 1, 31, 0, 1, NULL, '2026-11-27 15:25:04.64767+00', NULL, 1, '400');
INSERT INTO public.xinshi_callback_event VALUES (2, 1, 30, 0, 1, NULL, '2026-11-27 15:25:04.647626+00', '2026-11-27 15:25:09.465239+00', 1, '503');
INSERT INTO public.xinshi_campaign VALUES (9, 'done', 'done', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', '2026-11-27 15:24:43.42052+00', '2026-11-27 15:24:45.324373+00');
INSERT INTO public.xinshi_campaign VALUES (26, 'ready', 'ready', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', NULL, NULL);
INSERT INTO public.xinshi_campaign VALUES (18, 'paused', 'paused', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', '2026-11-27 15:24:59.38328+00', NULL);
INSERT INTO public.xinshi_campaign VALUES (28, 'loading', 'loading', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_campaign VALUES (36, 'in flight', 'running', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', '2026-11-27 15:25:12.94642+00', NULL);
INSERT INTO public.xinshi_campaign VALUES (37, 'in flight', 'running', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', '2026-11-27 15:25:13.229952+00', NULL);
INSERT INTO public.xinshi_campaign VALUES (27, 'personal', 'running', NULL, '{"invalid": 0, "repeated": 0, "suppressed": 0}', '2026-11-27 15:25:15.038107+00', NULL);
INSERT INTO public.xinshi_event VALUES (1, '2026-11-27 15:24:37.406626+00', 'key.created', 'tester', NULL, NULL, NULL, NULL, '{"key": 1, "name": "shop"}');
INSERT INTO public.xinshi_event VALUES (2, '2026-11-27 15:24:38.539257+00', 'key.created', 'tester', NULL, NULL, NULL, NULL, '{"key": 2, "name": "former"}');
INSERT INTO public.xinshi_event VALUES (3, '2026-11-27 15:24:39.569569+00', 'key.revoked', 'tester', NULL, NULL, NULL, NULL, '{"key": 2}');
INSERT INTO public.xinshi_event VALUES (4, '2026-11-27 15:24:40.560734+00', 'key.created', 'tester', NULL, NULL, NULL, NULL, '{"key": 3, "name": "crm"}');
INSERT INTO public.xinshi_event VALUES (5, '2026-11-27 15:24:45.013227+00', 'account.proven', 'recorder-28366-b85b31bd', 'first', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_event VALUES (6, '2026-11-27 15:24:45.051736+00', 'account.proven', 'recorder-28366-b85b31bd', 'second', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_event VALUES (7, '2026-11-27 15:24:45.101093+00', 'account.proven', 'recorder-28366-b85b31bd', 'counted', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_event VALUES (8, '2026-11-27 15:24:45.129783+00', 'account.held', 'recorder-28366-b85b31bd', 'locked', NULL, NULL, NULL, '{"code": "405", "seconds": null}');
INSERT INTO public.xinshi_event VALUES (9, '2026-11-27 15:24:45.199886+00', 'account.proven', 'recorder-28366-b85b31bd', 'paced', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_event VALUES (10, '2026-11-27 15:24:46.42836+00', 'submission.unknown', 'recorder-28366-b85b31bd', 'first', NULL, NULL, 11, '{"code": "HTTP 502", "mapped": false, "resent_as": null}');
INSERT INTO public.xinshi_event VALUES (11, '2026-11-27 15:24:46.670653+00', 'submission.unknown', 'recorder-28366-b85b31bd', 'first', NULL, NULL, 13, '{"code": "HTTP 502", "mapped": false, "resent_as": null}');
INSERT INTO public.xinshi_event VALUES (12, '2026-11-27 15:24:46.920339+00', 'submission.unknown', 'recorder-28366-b85b31bd', 'second', NULL, NULL, 15, '{"code": "HTTP 502", "mapped": false, "resent_as": null}');
INSERT INTO public.xinshi_event VALUES (13, '2026-11-27 15:24:48.168807+00', 'recipient.opted_out', 'inbound', 'first', NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_event VALUES (14, '2026-11-27 15:24:48.534016+00', 'account.too_fast', 'recorder-28366-b85b31bd', 'paced', NULL, NULL, NULL, '{"rate": 1.0}');
INSERT INTO public.xinshi_event VALUES (15, '2026-11-27 15:24:57.169408+00', 'submission.unknown', 'recorder-28366-b85b31bd', 'counted', NULL, NULL, 23, '{"code": "HTTP 502", "mapped": false, "resent_as": null}');
INSERT INTO public.xinshi_event VALUES (16, '2026-11-27 15:24:58.574818+00', 'account.held', 'tester', 'counted', NULL, NULL, NULL, '{"code": "by hand"}');
INSERT INTO public.xinshi_event VALUES (17, '2026-11-27 15:25:04.589133+00', 'submission.routed', 'recorder-28366-b85b31bd', 'first', NULL, NULL, 28, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (18, '2026-11-27 15:25:04.589273+00', 'submission.routed', 'recorder-28366-b85b31bd', 'first', NULL, NULL, 29, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (19, '2026-11-27 15:25:04.589361+00', 'submission.routed', 'recorder-28366-b85b31bd', 'second', NULL, NULL, 30, '{"chances": {"second": 1.0}, "out": {"first": "full"}}');
INSERT INTO public.xinshi_event VALUES (20, '2026-11-27 15:25:04.676354+00', 'submission.routed', 'recorder-28366-b85b31bd', 'first', NULL, NULL, 31, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (21, '2026-11-27 15:25:12.525108+00', 'submission.routed', 'recorder-29141-625fcd02', 'first', NULL, NULL, 36, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (22, '2026-11-27 15:25:12.807986+00', 'submission.routed', 'recorder-29140-2608832c', 'first', NULL, NULL, 37, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (23, '2026-11-27 15:25:13.009817+00', 'submission.routed', 'recorder-29142-ab97157b', 'first', NULL, NULL, 38, '{"chances": {"first": 1.0, "second": 0.0}}');
INSERT INTO public.xinshi_event VALUES (24, '2026-11-27 15:25:13.302707+00', 'submission.routed', 'recorder-29143-81d57d94', 'second', NULL, NULL, 39, '{"chances": {"second": 1.0}, "out": {"first": "full"}}');
INSERT INTO public.xinshi_inbound_message VALUES (1, 'first', '13900000009', 'T', NULL, NULL, NULL, '2026-11-27 15:24:47+00', 'f6d62f3c721a8984a6804b698a421247', 10, '2026-11-27 15:24:48.164468+00');
INSERT INTO public.xinshi_inbox VALUES (1, 'first', 'inbound', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265726563763e0a3c2f736d737265726563763e0a', '2026-11-27 15:24:45.226213+00', '2026-11-27 15:24:45.235077+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (2, 'second', 'inbound', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:45.26598+00', '2026-11-27 15:24:45.276084+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (3, 'counted', 'inbound', 200, NULL, '{"content-type": "text/plain; charset=GBK"}', '\x', '2026-11-27 15:24:45.267072+00', '2026-11-27 15:24:45.27716+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (4, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:45.269876+00', '2026-11-27 15:24:45.28809+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (5, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:45.28197+00', '2026-11-27 15:24:45.299962+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (6, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c70737265706f72743e3c6d6f62696c653e31333830303133383030353c2f6d6f62696c653e3c757365726e616d653e746573743c2f757365726e616d653e3c736d736c6f6769643e3333373031373333383c2f736d736c6f6769643e3c7374617475733e313c2f7374617475733e3c73656e6474696d653e323032362d31312d32372032333a32343a34352e303c2f73656e6474696d653e3c2f70737265706f72743e0a3c70737265706f72743e3c6d6f62696c653e31333830303133383030363c2f6d6f62696c653e3c757365726e616d653e746573743c2f757365726e616d653e3c736d736c6f6769643e3333373031373333353c2f736d736c6f6769643e3c7374617475733e313c2f7374617475733e3c73656e6474696d653e323032362d31312d32372032333a32343a34352e303c2f73656e6474696d653e3c2f70737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:46.253072+00', '2026-11-27 15:24:46.28432+00', 2, 0);
INSERT INTO public.xinshi_inbox VALUES (7, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:46.350816+00', '2026-11-27 15:24:46.355328+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (8, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:47.306667+00', '2026-11-27 15:24:47.308407+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (9, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:47.41593+00', '2026-11-27 15:24:47.420621+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (10, 'first', 'inbound', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265726563763e0a3c70737265726563763e3c6d6f62696c653e31333930303030303030393c2f6d6f62696c653e3c72656365697665723e746573743c2f72656365697665723e3c636f6e74656e743e56413d3d3c2f636f6e74656e743e3c73656e6474696d653e323032362d31312d32372032333a32343a34372e303c2f73656e6474696d653e3c2f70737265726563763e0a3c2f736d737265726563763e0a', '2026-11-27 15:24:48.156079+00', '2026-11-27 15:24:48.169761+00', 1, 0);
INSERT INTO public.xinshi_inbox VALUES (11, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:48.383652+00', '2026-11-27 15:24:48.39275+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (12, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:48.492914+00', '2026-11-27 15:24:48.497664+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (13, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:49.481685+00', '2026-11-27 15:24:49.488911+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (14, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:49.594074+00', '2026-11-27 15:24:49.596539+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (15, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:50.571364+00', '2026-11-27 15:24:50.573794+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (16, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:50.694955+00', '2026-11-27 15:24:50.699305+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (17, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:51.700862+00', '2026-11-27 15:24:51.704433+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (18, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:51.704023+00', '2026-11-27 15:24:51.706988+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (19, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:52.803673+00', '2026-11-27 15:24:52.816862+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (20, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:52.816284+00', '2026-11-27 15:24:52.824758+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (21, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:53.927651+00', '2026-11-27 15:24:53.935367+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (22, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:53.931758+00', '2026-11-27 15:24:53.94925+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (23, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:54.930938+00', '2026-11-27 15:24:54.935968+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (24, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:54.941551+00', '2026-11-27 15:24:54.953638+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (25, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:55.969558+00', '2026-11-27 15:24:55.972354+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (26, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:55.979127+00', '2026-11-27 15:24:55.981548+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (27, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:57.090699+00', '2026-11-27 15:24:57.102044+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (28, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:57.091382+00', '2026-11-27 15:24:57.103937+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (29, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:58.090428+00', '2026-11-27 15:24:58.094285+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (30, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:58.096126+00', '2026-11-27 15:24:58.105014+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (31, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:24:59.162694+00', '2026-11-27 15:24:59.165324+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (32, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:24:59.171247+00', '2026-11-27 15:24:59.173853+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (33, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:00.235324+00', '2026-11-27 15:25:00.240151+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (34, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:00.236883+00', '2026-11-27 15:25:00.241503+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (35, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:01.412328+00', '2026-11-27 15:25:01.415642+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (41, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:04.663866+00', '2026-11-27 15:25:04.669597+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (36, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:01.414427+00', '2026-11-27 15:25:01.417158+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (37, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:02.441635+00', '2026-11-27 15:25:02.446662+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (40, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:03.543765+00', '2026-11-27 15:25:03.546185+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (44, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:05.762899+00', '2026-11-27 15:25:05.768478+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (38, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:02.442777+00', '2026-11-27 15:25:02.448118+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (39, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:03.540078+00', '2026-11-27 15:25:03.542039+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (43, 'second', 'reports', 200, NULL, '{"content-type": "application/json; charset=utf-8"}', '\x7b22636f6465223a20223030222c202264617461223a205b5d2c20226d657373616765223a2022e68890e58a9f227d', '2026-11-27 15:25:05.747828+00', '2026-11-27 15:25:05.763288+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (42, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:04.729566+00', '2026-11-27 15:25:04.732177+00', 0, 0);
INSERT INTO public.xinshi_inbox VALUES (45, 'first', 'reports', 200, NULL, '{"content-type": "text/xml; charset=utf-8"}', '\x3c3f786d6c2076657273696f6e3d22312e302220656e636f64696e673d227574662d3822203f3e0a3c736d737265706f72743e0a3c70737265706f72743e3c6d6f62696c653e31333830303133383030333c2f6d6f62696c653e3c757365726e616d653e746573743c2f757365726e616d653e3c736d736c6f6769643e3333373031373334323c2f736d736c6f6769643e3c7374617475733e313c2f7374617475733e3c73656e6474696d653e323032362d31312d32372032333a32353a31332e303c2f73656e6474696d653e3c2f70737265706f72743e0a3c70737265706f72743e3c6d6f62696c653e31333830303133383030343c2f6d6f62696c653e3c757365726e616d653e746573743c2f757365726e616d653e3c736d736c6f6769643e3333373031373334323c2f736d736c6f6769643e3c7374617475733e313c2f7374617475733e3c73656e6474696d653e323032362d31312d32372032333a32353a31332e303c2f73656e6474696d653e3c2f70737265706f72743e0a3c2f736d737265706f72743e0a', '2026-11-27 15:25:14.8961+00', NULL, NULL, NULL);
INSERT INTO public.xinshi_inbox VALUES (46, 'second', 'push', NULL, 'POST', '{"content-type": "application/x-www-form-urlencoded"}', '\x73656e6449643d6333373031633064373061643436663062343038666465656664613530346638267374617475733d44454c495652442674696d65733d323032362d31312d32372b323325334132352533413135266d6f62696c653d3133383030313338303130', '2026-11-27 15:25:15.130347+00', NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (3, 0, '13800138007', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (4, 0, '13800138000', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (4, 1, '13800138001', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (4, 2, '13800138002', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (5, 0, '13800138003', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (5, 1, '13800138004', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (6, 0, '13800138008', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (7, 0, '13800138009', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (8, 0, '13800138010', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 0, '13800138011', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 1, '13800138012', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 2, '13800138013', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 3, '13800138014', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 4, '13800138015', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 5, '13800138016', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (9, 6, '13800138017', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (1, 0, '13800138005', 'delivered', NULL, true, NULL, '1', '2026-11-27 15:24:45+00');
INSERT INTO public.xinshi_message VALUES (2, 0, '13800138006', 'delivered', NULL, true, NULL, '1', '2026-11-27 15:24:45+00');
INSERT INTO public.xinshi_message VALUES (10, 0, '13800138018', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (11, 0, '13800138019', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (12, 0, '13800138020', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (13, 0, '13800138021', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (14, 0, '13800138022', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (15, 0, '13800138023', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (16, 0, '13800138024', 'cancelled', NULL, true, NULL, NULL, '2026-11-27 15:24:47.05871+00');
INSERT INTO public.xinshi_message VALUES (17, 0, '13800138025', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 0, '13800138026', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 1, '13800138027', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 2, '13800138028', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 3, '13800138029', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 4, '13800138030', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 5, '13800138031', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 6, '13800138032', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 7, '13800138033', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 8, '13800138034', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 9, '13800138035', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 10, '13800138036', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 11, '13800138037', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 12, '13800138038', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 13, '13800138039', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 14, '13800138040', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 15, '13800138041', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 16, '13800138042', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 17, '13800138043', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 18, '13800138044', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 19, '13800138045', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 20, '13800138046', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 21, '13800138047', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 22, '13800138048', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 23, '13800138049', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 24, '13800138050', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 25, '13800138051', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 26, '13800138052', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 27, '13800138053', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 28, '13800138054', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 29, '13800138055', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (18, 30, '13900000009', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (19, 0, '13900000009', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (20, 0, '13900000005', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (21, 0, '13900000005', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (22, 0, '13900000005', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (23, 0, '13800138056', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (24, 0, '13800138057', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (25, 0, '13800138058', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (26, 0, '13800138059', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (26, 1, '13800138060', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (26, 2, '13800138061', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 0, '13800138062', NULL, NULL, NULL, '[["name", "\u4f1a\u54580"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 1, '13800138072', NULL, NULL, NULL, '[["name", "\u4f1a\u545810"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 2, '13800138073', NULL, NULL, NULL, '[["name", "\u4f1a\u545811"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 3, '13800138074', NULL, NULL, NULL, '[["name", "\u4f1a\u545812"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 4, '13800138075', NULL, NULL, NULL, '[["name", "\u4f1a\u545813"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 5, '13800138063', NULL, NULL, NULL, '[["name", "\u4f1a\u54581"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 6, '13800138064', NULL, NULL, NULL, '[["name", "\u4f1a\u54582"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 7, '13800138065', NULL, NULL, NULL, '[["name", "\u4f1a\u54583"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 8, '13800138066', NULL, NULL, NULL, '[["name", "\u4f1a\u54584"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 9, '13800138067', NULL, NULL, NULL, '[["name", "\u4f1a\u54585"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 10, '13800138068', NULL, NULL, NULL, '[["name", "\u4f1a\u54586"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 11, '13800138069', NULL, NULL, NULL, '[["name", "\u4f1a\u54587"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 12, '13800138070', NULL, NULL, NULL, '[["name", "\u4f1a\u54588"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (27, 13, '13800138071', NULL, NULL, NULL, '[["name", "\u4f1a\u54589"]]', NULL, NULL);
INSERT INTO public.xinshi_message VALUES (28, 0, '13800138076', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (28, 1, '13800138077', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (28, 2, '13800138078', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (29, 0, '13800138079', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (30, 0, '13800138080', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (31, 0, '13800138081', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (32, 0, '13800138082', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (33, 0, '13800138083', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (34, 0, '13800138084', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (35, 0, '13800138085', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (36, 0, '13800138086', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (36, 1, '13800138087', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (36, 2, '13800138088', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (37, 0, '13800138089', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (37, 1, '13800138090', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (37, 2, '13800138091', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (38, 0, '13800138092', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (38, 1, '13800138093', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (38, 2, '13800138094', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (39, 0, '13800138095', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (40, 0, '13800138096', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (41, 0, '13800138097', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (42, 0, '13800138098', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (42, 1, '13800138099', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (42, 2, '13800138100', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (43, 0, '13800138101', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (44, 0, '13900000009', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (45, 0, '13900000005', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_message VALUES (46, 0, '13800138102', NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.xinshi_opt_out VALUES ('13900000009', '2026-11-27 15:24:48.167758+00', 'a reply to first');
INSERT INTO public.xinshi_recipient VALUES ('paced', '13900000005', '[[19, 1795793091416, 1795793091451], [20, 1795793092498, 1795793092507]]', '2026-11-27 16:25:55.498+00');
INSERT INTO public.xinshi_report VALUES (1, 'first', '13800138005', NULL, '337017338', 'delivered', '1', NULL, '2026-11-27 15:24:45+00', 'caa0811fef1cb0eab91703455cd8d2e3', 6, '2026-11-27 15:24:46.278122+00', 1, 0);
INSERT INTO public.xinshi_report VALUES (2, 'first', '13800138006', NULL, '337017335', 'delivered', '1', NULL, '2026-11-27 15:24:45+00', '1f396f0f0ba957aeadcf70ff95e5f5bf', 6, '2026-11-27 15:24:46.278122+00', 2, 0);
INSERT INTO public.xinshi_request VALUES (12, '', NULL, '71542fc34fafd97c210d3f54037f12f7706e37c5104429a98fcbd638a97a1013', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.579584+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.579584+00', NULL);
INSERT INTO public.xinshi_request VALUES (6, '', NULL, 'd1eb6c855d62e11b3988c109822adfbe4ea8995c3a37c5fb97373e30ddece446', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.332371+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.332371+00', NULL);
INSERT INTO public.xinshi_request VALUES (2, '', NULL, '24f6e87c44958f635ff1c05988a80344fcb581c3e9bd987bf689508569a3500d', 'otp', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:29:43.306629+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.306629+00', NULL);
INSERT INTO public.xinshi_request VALUES (3, '', NULL, '68336e3e8a409fbedf9f42227e97c9cee136d37f0e5aa2d1774f09d1e87db9fa', 'otp', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:29:43.312527+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.312527+00', NULL);
INSERT INTO public.xinshi_request VALUES (9, 'crm', 'done', 'fb1c1ae80f5aa1ee4a5a8165dbb020b5b8ffb6bad20717307c8d8eb7548e9e86', 'marketing', 'first', '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.344479+00', 7, 7, NULL, 'queued', '2026-11-27 15:24:43.344479+00', NULL);
INSERT INTO public.xinshi_request VALUES (1, '', NULL, '48aeecd372433e56a30cfab30d6efc7d47654f5ba20b04c07fc5a599c406586b', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.297608+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.297608+00', NULL);
INSERT INTO public.xinshi_request VALUES (4, '', NULL, '1d3ad00731a3a723043a3a8afa97ca6491d57b55168dc78e674d3253e9c76be0', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.319582+00', 3, 3, NULL, 'queued', '2026-11-27 15:24:43.319582+00', NULL);
INSERT INTO public.xinshi_request VALUES (7, '', NULL, '53c8c91002702d6a1018228ac4b031a87af27614f311149dcbe7322e4002c176', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.336014+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.336014+00', NULL);
INSERT INTO public.xinshi_request VALUES (8, '', NULL, 'c6da23ba300acbee95b6a5fbf9c24004d89a2a5d02fc5b79a37f4a08ddd2eafe', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.339628+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:43.339628+00', NULL);
INSERT INTO public.xinshi_request VALUES (5, '', NULL, '83ce206fb8fd4bc81e260e24acdf135aa6559fe29eb3887084eb437216b91bec', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:43.328036+00', 2, 2, NULL, 'queued', '2026-11-27 15:24:43.328036+00', NULL);
INSERT INTO public.xinshi_request VALUES (10, '', NULL, '48893a95753ac3d166113efca90108bb91dde49cad0dbf42e106e10bbc93a963', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.328575+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.328575+00', NULL);
INSERT INTO public.xinshi_request VALUES (11, '', NULL, '0f5195c97761ab0fe15d369d3f60e579384cb0d9bf3f4de7f13a578c59500f83', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.456062+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.456062+00', NULL);
INSERT INTO public.xinshi_request VALUES (13, '', NULL, '8ccbc919a41843e28504e1b0733b442691358ebd4dfeb4e47032a342be56e5b3', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.681238+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.681238+00', NULL);
INSERT INTO public.xinshi_request VALUES (14, '', NULL, '1b81a0cf5e9196475229b9b0ca6d61b7db2f2506aebd9e71c41b3ae04d39f689', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.81198+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.81198+00', NULL);
INSERT INTO public.xinshi_request VALUES (15, '', NULL, 'b705c7c0fb2d48645bfb203ecdfc70e7439c8f09ba3edcd3af462449f4835588', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:46.934081+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:46.934081+00', NULL);
INSERT INTO public.xinshi_request VALUES (16, '', NULL, '10c27982c5346fc424cda8fc76e686a12a655e08f526eb6208e99c344ea51255', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', '2026-11-27 16:24:47.052296+00', '2026-11-28 16:24:47.052296+00', 1, 0, '2026-11-27 16:24:47.052296+00', 'queued', '2026-11-27 15:24:47.053561+00', NULL);
INSERT INTO public.xinshi_request VALUES (17, '', NULL, '69c4156913ce7123e34c6b404afc106073577ba16894c728c11895d4b8ca624f', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', '2026-11-27 16:24:47.052296+00', '2026-11-28 16:24:47.052296+00', 1, 0, '2026-11-27 16:24:47.052296+00', 'queued', '2026-11-27 15:24:47.064056+00', NULL);
INSERT INTO public.xinshi_request VALUES (23, '', NULL, 'a6444e9bf625709546c5314fc8c8606d29e608c790ae4089d2d12a8686b99d91', 'notice', 'counted', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:53.707232+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:53.707232+00', NULL);
INSERT INTO public.xinshi_request VALUES (18, 'crm', 'paused', '528d455b1cf1792c52e03b212948cf31706f9967f252358d392cfc3d84b30ace', 'marketing', 'first', '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:47.065418+00', 31, 10, NULL, 'queued', '2026-11-27 15:24:47.065418+00', NULL);
INSERT INTO public.xinshi_request VALUES (19, '', NULL, '94bfc1e68f108d1a19389194f0ef1b4a7e23475f5c78d403190da6fdf45e7bcc', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:47.101224+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:47.101224+00', NULL);
INSERT INTO public.xinshi_request VALUES (20, '', NULL, '7efa72cfb53b0e0626168350074b91dcf07ba0158a9d9626b2d7b424a55229bd', 'notice', 'paced', '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:48.485099+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:48.485099+00', NULL);
INSERT INTO public.xinshi_request VALUES (21, '', NULL, '7efa72cfb53b0e0626168350074b91dcf07ba0158a9d9626b2d7b424a55229bd', 'notice', 'paced', '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:51.494469+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:51.494469+00', NULL);
INSERT INTO public.xinshi_request VALUES (22, '', NULL, '7efa72cfb53b0e0626168350074b91dcf07ba0158a9d9626b2d7b424a55229bd', 'notice', 'paced', '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:52.538562+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:52.538562+00', NULL);
INSERT INTO public.xinshi_request VALUES (24, '', NULL, '586e113bfb92bf95fa7477f9ff2f738577e76aaab03d5f13893e0c357f9b810d', 'notice', 'counted', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:57.122842+00', 1, 1, NULL, 'queued', '2026-11-27 15:24:57.122842+00', NULL);
INSERT INTO public.xinshi_request VALUES (25, '', NULL, '98c7a2e8c52ca5a31cc63aa6ade8ff9006084a1242b8e214c76d068ff07e178b', 'notice', 'counted', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:58.93109+00', 1, 0, '2026-11-27 15:24:58.93109+00', 'queued', '2026-11-27 15:24:58.93109+00', NULL);
INSERT INTO public.xinshi_request VALUES (26, 'crm', 'ready', '1e22cc7334206c4e6b1110688e2b3487462c2aa8b2db77d7bfc33d54714df02d', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:24:58.935241+00', 3, 0, NULL, 'queued', '2026-11-27 15:24:58.935241+00', NULL);
INSERT INTO public.xinshi_request VALUES (29, 'shop', 'order-1001', 'fd49bb3874a1e6a595ddc88b23569748406eab81985f1385a7c5b9a762b9d215', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:04.438448+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:04.438448+00', 1);
INSERT INTO public.xinshi_request VALUES (28, '', 'spring', 'c9f2988008eb66a64fdd3fe0cd64fd580f768adba91c8929433696534f944f05', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, '', NULL, '2026-11-28 15:25:04.220306+00', 3, 0, NULL, 'queued', '2026-11-27 15:25:04.220306+00', NULL);
INSERT INTO public.xinshi_request VALUES (30, 'shop', NULL, '1d248976e16b12cd5c554a9552e0fcba45d6952d1b8a381568c33675073012b7', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:04.451626+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:04.451626+00', 1);
INSERT INTO public.xinshi_request VALUES (31, 'shop', NULL, 'c9ae987c2ed0cfbe93448a8711f72abe2d76baed7d0d27c213a150146707ea6c', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:04.511149+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:04.511149+00', 1);
INSERT INTO public.xinshi_request VALUES (32, 'shop', NULL, '4ec5380f26f8b7d30700d64ada276b8b1108880e5a8432b3fb193e3713e4a029', 'otp', NULL, '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:30:04.571875+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:04.571875+00', 1);
INSERT INTO public.xinshi_request VALUES (33, '', NULL, '590ee296b72ac6fac6b87c77d9c64b3ecff539fc6b658f084485b13456622313', 'notice', 'first', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:04.935521+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:04.935521+00', NULL);
INSERT INTO public.xinshi_request VALUES (34, '', NULL, '4a1a902907d1e53d0d30dc6589d74218cbba517c04bbb600ddcf2fa526277715', 'otp', NULL, '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:30:12.166535+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:12.166535+00', NULL);
INSERT INTO public.xinshi_request VALUES (35, '', NULL, 'bc0292ddda6b9e1161db3571ecff400a057af4813f655c3bce0711f51835e9ba', 'otp', NULL, '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:30:12.707901+00', 1, 1, NULL, 'queued', '2026-11-27 15:25:12.707901+00', NULL);
INSERT INTO public.xinshi_request VALUES (36, '', NULL, 'e1f80e3e9924c88ab4130019fb0534a6316de99563ad55017f20e702c8745f93', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:12.859827+00', 3, 3, NULL, 'queued', '2026-11-27 15:25:12.859827+00', NULL);
INSERT INTO public.xinshi_request VALUES (37, '', NULL, 'c66b4a783b08eaa44aa5cdb162aa18ba9cafbeacb64dc37dceff3c03f199c753', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:13.062455+00', 3, 3, NULL, 'queued', '2026-11-27 15:25:13.062455+00', NULL);
INSERT INTO public.xinshi_request VALUES (27, 'crm', 'personal', '8d2d7e83199fdde63ebd26f0c4f997f2f3fdf694999259ea4cf3cfecfaff22f9', 'marketing', 'first', '【信使】{name}，您的会员积分将到期', NULL, NULL, NULL, NULL, true, 'mobile', NULL, '2026-11-28 15:24:58.982824+00', 14, 2, '2026-11-27 15:25:15.038845+00', 'queued', '2026-11-27 15:24:58.982824+00', NULL);
INSERT INTO public.xinshi_request VALUES (38, '', NULL, 'f588928ae2c7884c9e1c4605adac1972770763ed47558b0e85f26ffdccd76d60', 'notice', 'second', '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:13.373835+00', 3, 3, NULL, 'queued', '2026-11-27 15:25:13.373835+00', NULL);
INSERT INTO public.xinshi_request VALUES (39, '', NULL, '04b22289d0900009f3ef366a98a22ec426ba2b2f23e60cf4b250ec6169754939', 'otp', NULL, '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:30:14.999271+00', 1, 0, '2026-11-27 15:25:14.999271+00', 'queued', '2026-11-27 15:25:14.999271+00', NULL);
INSERT INTO public.xinshi_request VALUES (40, '', NULL, '19f23b3828f8e2e533ee5aff570c85a7eea47b1d4b05da7837fc79b22e5908e7', 'otp', NULL, '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-27 15:25:15.501553+00', 1, 0, '2026-11-27 15:25:15.002822+00', 'queued', '2026-11-27 15:25:15.002822+00', NULL);
INSERT INTO public.xinshi_request VALUES (41, '', NULL, '92bd8bf3a59b36907b5eb76458a73bc5160147f6a42e2325103b9a90e69ce225', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.004578+00', 1, 0, '2026-11-27 15:25:15.004578+00', 'queued', '2026-11-27 15:25:15.004578+00', NULL);
INSERT INTO public.xinshi_request VALUES (42, '', 'order-2002', 'e625962b3afb1d20cbc176a8df1492afe47c4a4c9d88121da777b64d8c759f99', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.00955+00', 3, 0, '2026-11-27 15:25:15.00955+00', 'queued', '2026-11-27 15:25:15.00955+00', NULL);
INSERT INTO public.xinshi_request VALUES (43, '', NULL, 'afef629acbcf9b0a80677e40c799e91805a564737b747db24d98e5cc5a39a70d', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.012206+00', 1, 0, '2026-11-27 15:25:15.012206+00', 'queued', '2026-11-27 15:25:15.012206+00', NULL);
INSERT INTO public.xinshi_request VALUES (44, '', NULL, 'd3cdea20864856cc3b944a9e919ede21419923b07087e071b7a312059cffe448', 'marketing', NULL, '【信使】春装上新，回T退订', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.013546+00', 1, 0, '2026-11-27 15:25:15.013546+00', 'queued', '2026-11-27 15:25:15.013546+00', NULL);
INSERT INTO public.xinshi_request VALUES (45, '', NULL, '7efa72cfb53b0e0626168350074b91dcf07ba0158a9d9626b2d7b424a55229bd', 'notice', 'paced', '【信使】您的验证码是 624913', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.014995+00', 1, 0, '2026-11-27 15:25:15.014995+00', 'queued', '2026-11-27 15:25:15.014995+00', NULL);
INSERT INTO public.xinshi_request VALUES (46, 'shop', NULL, '8c0b2b7516bcb970051ecceb911681d8770e74f8a5ec23a16f9792dd0be15a23', 'notice', NULL, '【信使】您的订单已发货', NULL, NULL, NULL, NULL, false, 'mobile', NULL, '2026-11-28 15:25:15.028533+00', 1, 0, '2026-11-27 15:25:15.028533+00', 'queued', '2026-11-27 15:25:15.028533+00', 1);
INSERT INTO public.xinshi_submission VALUES (1, 'first', 'marketing', 'accepted', 9, 0, 5, 5, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.344479+00', 1, NULL, '337017333', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:44.962309+00', '2026-11-27 15:24:44.962309+00', '2026-11-27 15:24:44.998254+00', NULL);
INSERT INTO public.xinshi_submission VALUES (2, 'second', 'notice', 'accepted', 6, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.332371+00', 1, '62bcfd1b6f92404d9706a89a47f30bdd', '62bcfd1b6f92404d9706a89a47f30bdd', 'accepted', '00', '成功', NULL, NULL, '2026-11-27 15:24:45.0256+00', '2026-11-27 15:24:45.0256+00', '2026-11-27 15:24:45.040035+00', NULL);
INSERT INTO public.xinshi_submission VALUES (3, 'first', 'otp', 'accepted', 2, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-27 15:29:43.306629+00', 1, NULL, '337017335', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.17488+00', '2026-11-27 15:24:45.17488+00', '2026-11-27 15:24:45.239597+00', NULL);
INSERT INTO public.xinshi_submission VALUES (5, 'first', 'marketing', 'accepted', 9, 5, 7, 2, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.344479+00', 1, NULL, '337017337', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.235621+00', '2026-11-27 15:24:45.235621+00', '2026-11-27 15:24:45.258191+00', NULL);
INSERT INTO public.xinshi_submission VALUES (4, 'first', 'otp', 'accepted', 3, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-27 15:29:43.312527+00', 1, NULL, '337017336', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.184223+00', '2026-11-27 15:24:45.184223+00', '2026-11-27 15:24:45.261233+00', NULL);
INSERT INTO public.xinshi_submission VALUES (6, 'first', 'notice', 'accepted', 1, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.297608+00', 1, NULL, '337017338', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.275824+00', '2026-11-27 15:24:45.275824+00', '2026-11-27 15:24:45.334886+00', NULL);
INSERT INTO public.xinshi_submission VALUES (7, 'first', 'notice', 'accepted', 4, 0, 3, 3, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.319582+00', 1, NULL, '337017339', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.284666+00', '2026-11-27 15:24:45.284666+00', '2026-11-27 15:24:45.334886+00', NULL);
INSERT INTO public.xinshi_submission VALUES (8, 'second', 'notice', 'accepted', 7, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.336014+00', 1, 'b49157aa14a046ac8244533c59077077', 'b49157aa14a046ac8244533c59077077', 'accepted', '00', '成功', NULL, NULL, '2026-11-27 15:24:45.304651+00', '2026-11-27 15:24:45.304651+00', '2026-11-27 15:24:45.334886+00', NULL);
INSERT INTO public.xinshi_submission VALUES (9, 'second', 'notice', 'accepted', 8, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.339628+00', 1, 'c3701c0d70ad46f0b408fdeefda504f8', 'c3701c0d70ad46f0b408fdeefda504f8', 'accepted', '00', '成功', NULL, NULL, '2026-11-27 15:24:45.313323+00', '2026-11-27 15:24:45.313323+00', '2026-11-27 15:24:45.334886+00', NULL);
INSERT INTO public.xinshi_submission VALUES (10, 'first', 'notice', 'accepted', 5, 0, 2, 2, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:43.328036+00', 1, NULL, '337017342', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:45.456423+00', '2026-11-27 15:24:45.456423+00', '2026-11-27 15:24:45.462156+00', NULL);
INSERT INTO public.xinshi_submission VALUES (11, 'first', 'notice', 'unknown', 10, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.328575+00', 1, NULL, NULL, 'unknown', 'HTTP 502', '<html><body><h1>502</h1></body></html>', NULL, NULL, '2026-11-27 15:24:46.412052+00', '2026-11-27 15:24:46.412052+00', '2026-11-27 15:24:46.416505+00', NULL);
INSERT INTO public.xinshi_submission VALUES (12, 'first', 'notice', 'accepted', 11, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.456062+00', 1, NULL, '337017344', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:46.537828+00', '2026-11-27 15:24:46.537828+00', '2026-11-27 15:24:46.543531+00', NULL);
INSERT INTO public.xinshi_submission VALUES (13, 'first', 'notice', 'unknown', 12, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.579584+00', 1, NULL, NULL, 'unknown', 'HTTP 502', '<html><body><h1>502</h1></body></html>', NULL, NULL, '2026-11-27 15:24:46.657201+00', '2026-11-27 15:24:46.657201+00', '2026-11-27 15:24:46.663374+00', NULL);
INSERT INTO public.xinshi_submission VALUES (14, 'first', 'notice', 'accepted', 13, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.681238+00', 1, NULL, '337017345', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:46.788079+00', '2026-11-27 15:24:46.788079+00', '2026-11-27 15:24:46.797026+00', NULL);
INSERT INTO public.xinshi_submission VALUES (15, 'second', 'notice', 'unknown', 14, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.81198+00', 1, 'c750bf066bbf46779799596e0e81c421', NULL, 'unknown', 'HTTP 502', '<html><body><h1>502</h1></body></html>', NULL, NULL, '2026-11-27 15:24:46.911359+00', '2026-11-27 15:24:46.911359+00', '2026-11-27 15:24:46.915003+00', NULL);
INSERT INTO public.xinshi_submission VALUES (16, 'second', 'notice', 'accepted', 15, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:46.934081+00', 1, 'ec45729870544bacad3a2192e87665f9', 'ec45729870544bacad3a2192e87665f9', 'accepted', '00', '成功', NULL, NULL, '2026-11-27 15:24:47.030464+00', '2026-11-27 15:24:47.030464+00', '2026-11-27 15:24:47.033817+00', NULL);
INSERT INTO public.xinshi_submission VALUES (17, 'first', 'notice', 'accepted', 19, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:47.101224+00', 1, NULL, '337017348', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:47.143029+00', '2026-11-27 15:24:47.143029+00', '2026-11-27 15:24:47.146432+00', NULL);
INSERT INTO public.xinshi_submission VALUES (18, 'paced', 'notice', 'not_sent', 20, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:48.485099+00', 1, NULL, NULL, 'throttled', '4081', '系统繁忙', NULL, NULL, '2026-11-27 15:24:48.510144+00', '2026-11-27 15:24:48.510144+00', '2026-11-27 15:24:48.528349+00', NULL);
INSERT INTO public.xinshi_submission VALUES (19, 'paced', 'notice', 'accepted', 20, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', '2026-11-27 15:24:51.335358+00', '2026-11-28 15:24:48.485099+00', 1, NULL, '15870246950000000017', 'accepted', '2', '提交成功', 18, NULL, '2026-11-27 15:24:48.537659+00', '2026-11-27 15:24:51.398992+00', '2026-11-27 15:24:51.436694+00', NULL);
INSERT INTO public.xinshi_submission VALUES (20, 'paced', 'notice', 'accepted', 21, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:51.494469+00', 1, NULL, '15870246950000000018', 'accepted', '2', '提交成功', NULL, NULL, '2026-11-27 15:24:52.492832+00', '2026-11-27 15:24:52.492832+00', '2026-11-27 15:24:52.503088+00', NULL);
INSERT INTO public.xinshi_submission VALUES (21, 'paced', 'notice', 'planned', 22, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', '2026-11-27 16:24:53.657698+00', '2026-11-28 15:24:52.538562+00', 0, NULL, NULL, NULL, 'per_msisdn', NULL, NULL, NULL, '2026-11-27 15:24:53.638883+00', NULL, NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (22, 'counted', 'notice', 'accepted', 23, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:53.707232+00', 1, NULL, NULL, 'accepted', '100', '发送成功', NULL, NULL, '2026-11-27 15:24:53.768093+00', '2026-11-27 15:24:53.768093+00', '2026-11-27 15:24:53.771823+00', NULL);
INSERT INTO public.xinshi_submission VALUES (23, 'counted', 'notice', 'unknown', 24, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:57.122842+00', 1, NULL, NULL, 'unknown', 'HTTP 502', '<html><body><h1>502</h1></body></html>', NULL, NULL, '2026-11-27 15:24:57.140519+00', '2026-11-27 15:24:57.140519+00', '2026-11-27 15:24:57.155813+00', NULL);
INSERT INTO public.xinshi_submission VALUES (24, 'first', 'marketing', 'accepted', 18, 0, 5, 5, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:47.065418+00', 1, NULL, '337017351', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:59.440055+00', '2026-11-27 15:24:59.440055+00', '2026-11-27 15:25:00.956103+00', NULL);
INSERT INTO public.xinshi_submission VALUES (25, 'first', 'marketing', 'accepted', 18, 5, 10, 5, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:47.065418+00', 1, NULL, '337017352', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:24:59.440055+00', '2026-11-27 15:24:59.440055+00', '2026-11-27 15:25:00.961805+00', NULL);
INSERT INTO public.xinshi_submission VALUES (32, 'first', 'notice', 'not_sent', 33, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:25:04.935521+00', 1, NULL, NULL, 'deferred', 'failure', '稍后再试', NULL, NULL, '2026-11-27 15:25:05.000279+00', '2026-11-27 15:25:05.000279+00', '2026-11-27 15:25:05.007142+00', NULL);
INSERT INTO public.xinshi_submission VALUES (26, 'first', 'marketing', 'accepted', 27, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:58.982824+00', 1, NULL, '337017353', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:25:01.085954+00', '2026-11-27 15:25:01.085954+00', '2026-11-27 15:25:02.603717+00', NULL);
INSERT INTO public.xinshi_submission VALUES (27, 'first', 'marketing', 'accepted', 27, 1, 2, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:24:58.982824+00', 1, NULL, '337017354', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:25:01.085954+00', '2026-11-27 15:25:01.085954+00', '2026-11-27 15:25:02.609795+00', NULL);
INSERT INTO public.xinshi_submission VALUES (28, 'first', 'notice', 'accepted', 29, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:25:04.438448+00', 1, NULL, '337017355', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:25:04.555698+00', '2026-11-27 15:25:04.555698+00', '2026-11-27 15:25:04.608224+00', NULL);
INSERT INTO public.xinshi_submission VALUES (29, 'first', 'notice', 'accepted', 30, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:25:04.451626+00', 1, NULL, '337017356', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:25:04.564196+00', '2026-11-27 15:25:04.564196+00', '2026-11-27 15:25:04.608224+00', NULL);
INSERT INTO public.xinshi_submission VALUES (30, 'second', 'notice', 'accepted', 31, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-28 15:25:04.511149+00', 1, '8b3cf4811ee34a8d9cb76a337743951f', '8b3cf4811ee34a8d9cb76a337743951f', 'accepted', '00', '成功', NULL, NULL, '2026-11-27 15:25:04.581667+00', '2026-11-27 15:25:04.581667+00', '2026-11-27 15:25:04.608224+00', NULL);
INSERT INTO public.xinshi_submission VALUES (31, 'first', 'otp', 'accepted', 32, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', NULL, '2026-11-27 15:30:04.571875+00', 1, NULL, '337017358', 'accepted', 'success', '成功', NULL, NULL, '2026-11-27 15:25:04.67375+00', '2026-11-27 15:25:04.67375+00', '2026-11-27 15:25:04.730083+00', NULL);
INSERT INTO public.xinshi_submission VALUES (33, 'first', 'notice', 'not_sent', 33, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', '2026-11-27 15:25:05.594694+00', '2026-11-28 15:25:04.935521+00', 2, NULL, NULL, 'deferred', 'failure', '稍后再试', 32, NULL, '2026-11-27 15:25:05.009201+00', '2026-11-27 15:25:05.656774+00', '2026-11-27 15:25:05.671695+00', NULL);
INSERT INTO public.xinshi_submission VALUES (34, 'first', 'notice', 'not_sent', 33, 0, 1, 1, 1, 1, NULL, 'recorder-28366-b85b31bd', '2026-11-27 15:25:06.699544+00', '2026-11-28 15:25:04.935521+00', 3, NULL, NULL, 'deferred', 'failure', '稍后再试', 33, NULL, '2026-11-27 15:25:05.673742+00', '2026-11-27 15:25:06.746079+00', '2026-11-27 15:25:06.753706+00', NULL);
INSERT INTO public.xinshi_submission VALUES (36, 'first', 'otp', 'in_flight', 34, 0, 1, 1, 1, 1, '2026-11-27 15:26:15.523143+00', 'recorder-29141-625fcd02', NULL, '2026-11-27 15:30:12.166535+00', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 15:25:12.523143+00', '2026-11-27 15:25:12.523143+00', NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (37, 'first', 'otp', 'in_flight', 35, 0, 1, 1, 1, 1, '2026-11-27 15:26:15.80665+00', 'recorder-29140-2608832c', NULL, '2026-11-27 15:30:12.707901+00', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 15:25:12.80665+00', '2026-11-27 15:25:12.80665+00', NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (38, 'first', 'marketing', 'in_flight', 36, 0, 3, 3, 1, 1, '2026-11-27 15:26:15.999065+00', 'recorder-29142-ab97157b', NULL, '2026-11-28 15:25:12.859827+00', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 15:25:12.999065+00', '2026-11-27 15:25:12.999065+00', NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (39, 'second', 'marketing', 'in_flight', 37, 0, 3, 3, 1, 1, '2026-11-27 15:26:16.298553+00', 'recorder-29143-81d57d94', NULL, '2026-11-28 15:25:13.062455+00', 1, '2d0a3380ffa34e0a9e3d2aaa21f6c9de', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 15:25:13.298553+00', '2026-11-27 15:25:13.298553+00', NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (40, 'second', 'notice', 'in_flight', 38, 0, 3, 3, 1, 1, '2026-11-27 15:26:16.472482+00', 'recorder-29139-a5b3effb', NULL, '2026-11-28 15:25:13.373835+00', 1, '8077e6044cb7488584aeecb834163503', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 15:25:13.472482+00', '2026-11-27 15:25:13.472482+00', NULL, NULL);
INSERT INTO public.xinshi_submission VALUES (35, 'first', 'notice', 'planned', 33, 0, 1, 1, 1, 0, NULL, NULL, '2026-11-27 15:25:16.35816+00', '2026-11-28 15:25:04.935521+00', 3, NULL, NULL, NULL, NULL, NULL, 34, NULL, '2026-11-27 15:25:06.755652+00', NULL, NULL, NULL);
INSERT INTO public.xinshi_tick VALUES ('pushes', '2026-11-27 15:24:44.93062+00', NULL, NULL, NULL);
INSERT INTO public.xinshi_tick VALUES ('close_out:first', '2026-11-27 15:25:45.08358+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('close_out:second', '2026-11-27 15:25:45.090203+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('forget', '2026-11-27 15:25:45.101343+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('balance:first', '2026-11-27 16:24:45.055165+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('balance:locked', '2026-11-27 16:24:45.063905+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('balance:second', '2026-11-27 16:24:45.075135+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('inbound:first', '2026-11-27 16:24:48.146944+00', NULL, 'tester-28540-13969ff8', NULL);
INSERT INTO public.xinshi_tick VALUES ('inbound:locked', '2026-11-27 16:24:45.197849+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('inbound:paced', '2026-11-27 16:24:45.202251+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('balance:counted', '2026-11-27 16:24:45.051565+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('balance:paced', '2026-11-27 16:24:45.0683+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('settle:counted', '2026-11-27 15:25:06.815778+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('inbound:second', '2026-11-27 16:24:45.209577+00', NULL, 'recorder-28366-b85b31bd', NULL);
INSERT INTO public.xinshi_tick VALUES ('inbound:counted', '2026-11-27 16:24:45.15526+00', NULL, 'recorder-28366-b85b31bd', '{"since": "2026-11-27T14:00:00+00:00", "done": [], "was_current": true, "last": "2026-11-27T15:24:45.194559+00:00"}');
INSERT INTO public.xinshi_tick VALUES ('reports:second', '2026-11-27 15:25:13.304498+00', '2026-11-27 15:25:28.304498+00', 'recorder-29139-a5b3effb', NULL);
INSERT INTO public.xinshi_tick VALUES ('reports:first', '2026-11-27 15:25:15.864622+00', '2026-11-27 15:25:30.864622+00', 'recorder-29191-ce0199c5', NULL);
INSERT INTO public.xinshi_tick VALUES ('sweep', '2026-11-27 15:25:15.17185+00', '2026-11-27 15:25:15.47185+00', 'recorder-29191-ce0199c5', NULL);
INSERT INTO public.xinshi_tick VALUES ('health', '2026-11-27 15:25:15.234998+00', NULL, 'recorder-28366-b85b31bd', '{"at": 1795793105.239835, "last": 33, "open": [21, 33], "ripe": 2, "marks": [[1795793085.152217, 2], [1795793095.156718, 22], [1795793105.239835, 33]], "gauges": {"first": {"calls": [0, 8, 1, 0, 10.083117008209229, ""], "reports": [0, 0, 0, 0, 20.087618112564087, ""], "carriers": {}}, "second": {"calls": [0, 5, 1, 0, 20.087618112564087, ""], "reports": [0, 0, 0, 0, 20.087618112564087, ""], "carriers": {}}, "counted": {"calls": [0, 2, 1, 0, 20.087618112564087, ""], "reports": [0, 0, 0, 0, 20.087618112564087, ""], "carriers": {}}, "paced": {"calls": [0, 2, 0, 0, 20.087618112564087, ""], "reports": [0, 0, 0, 0, 20.087618112564087, ""], "carriers": {}}, "locked": {"calls": [0, 0, 0, 0, 20.087618112564087, ""], "reports": [0, 0, 0, 0, 20.087618112564087, ""], "carriers": {}}}}');
SELECT pg_catalog.setval('public.xinshi_api_key_id_seq', 3, true);
SELECT pg_catalog.setval('public.xinshi_callback_event_id_seq', 4, true);
SELECT pg_catalog.setval('public.xinshi_callback_id_seq', 1, true);
SELECT pg_catalog.setval('public.xinshi_event_id_seq', 24, true);
SELECT pg_catalog.setval('public.xinshi_inbound_message_id_seq', 1, true);
SELECT pg_catalog.setval('public.xinshi_inbox_id_seq', 46, true);
SELECT pg_catalog.setval('public.xinshi_report_id_seq', 2, true);
SELECT pg_catalog.setval('public.xinshi_request_id_seq', 46, true);
SELECT pg_catalog.setval('public.xinshi_submission_id_seq', 40, true);
ALTER TABLE ONLY public.xinshi_account_state
    ADD CONSTRAINT pk_xinshi_account_state PRIMARY KEY (account);
ALTER TABLE ONLY public.xinshi_allowance
    ADD CONSTRAINT pk_xinshi_allowance PRIMARY KEY (what, who);
ALTER TABLE ONLY public.xinshi_api_key
    ADD CONSTRAINT pk_xinshi_api_key PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_callback
    ADD CONSTRAINT pk_xinshi_callback PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_callback_event
    ADD CONSTRAINT pk_xinshi_callback_event PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_campaign
    ADD CONSTRAINT pk_xinshi_campaign PRIMARY KEY (request_id);
ALTER TABLE ONLY public.xinshi_event
    ADD CONSTRAINT pk_xinshi_event PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_inbound_message
    ADD CONSTRAINT pk_xinshi_inbound_message PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_inbox
    ADD CONSTRAINT pk_xinshi_inbox PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_message
    ADD CONSTRAINT pk_xinshi_message PRIMARY KEY (request_id, n);
ALTER TABLE ONLY public.xinshi_opt_out
    ADD CONSTRAINT pk_xinshi_opt_out PRIMARY KEY (msisdn);
ALTER TABLE ONLY public.xinshi_recipient
    ADD CONSTRAINT pk_xinshi_recipient PRIMARY KEY (account, msisdn);
ALTER TABLE ONLY public.xinshi_report
    ADD CONSTRAINT pk_xinshi_report PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_request
    ADD CONSTRAINT pk_xinshi_request PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_submission
    ADD CONSTRAINT pk_xinshi_submission PRIMARY KEY (id);
ALTER TABLE ONLY public.xinshi_tick
    ADD CONSTRAINT pk_xinshi_tick PRIMARY KEY (name);
ALTER TABLE ONLY public.xinshi_api_key
    ADD CONSTRAINT uq_xinshi_api_key_digest UNIQUE (digest);
ALTER TABLE ONLY public.xinshi_inbound_message
    ADD CONSTRAINT uq_xinshi_inbound_message_account_digest UNIQUE (account, digest);
ALTER TABLE ONLY public.xinshi_report
    ADD CONSTRAINT uq_xinshi_report_account_digest UNIQUE (account, digest);
ALTER TABLE ONLY public.xinshi_request
    ADD CONSTRAINT uq_xinshi_request_sender_key UNIQUE (sender, key);
ALTER TABLE ONLY public.xinshi_alembic_version
    ADD CONSTRAINT xinshi_alembic_version_pkc PRIMARY KEY (version_num);
CREATE INDEX ix_xinshi_allowance_forget_at ON public.xinshi_allowance USING btree (forget_at);
CREATE INDEX ix_xinshi_api_key_name ON public.xinshi_api_key USING btree (name);
CREATE INDEX ix_xinshi_callback_event_due ON public.xinshi_callback_event USING btree (callback_id, next_at);
CREATE INDEX ix_xinshi_callback_sender ON public.xinshi_callback USING btree (sender);
CREATE INDEX ix_xinshi_event_message ON public.xinshi_event USING btree (request_id, n);
CREATE INDEX ix_xinshi_event_submission ON public.xinshi_event USING btree (submission_id);
CREATE INDEX ix_xinshi_inbound_message_msisdn ON public.xinshi_inbound_message USING btree (msisdn, stored_at);
CREATE INDEX ix_xinshi_inbox_waiting ON public.xinshi_inbox USING btree (account, id) WHERE (parsed_at IS NULL);
CREATE INDEX ix_xinshi_message_apart ON public.xinshi_message USING btree (request_id, n) WHERE (submission_id IS NOT NULL);
CREATE INDEX ix_xinshi_message_msisdn ON public.xinshi_message USING btree (msisdn) WHERE (single IS NOT NULL);
CREATE INDEX ix_xinshi_message_own ON public.xinshi_message USING btree (request_id, n, state) WHERE (state IS NOT NULL);
CREATE INDEX ix_xinshi_message_submission ON public.xinshi_message USING btree (submission_id) WHERE (submission_id IS NOT NULL);
CREATE INDEX ix_xinshi_recipient_forget_at ON public.xinshi_recipient USING btree (forget_at);
CREATE INDEX ix_xinshi_report_message ON public.xinshi_report USING btree (request_id, n);
CREATE INDEX ix_xinshi_report_waiting ON public.xinshi_report USING btree (account, id) WHERE (request_id IS NULL);
CREATE INDEX ix_xinshi_request_due ON public.xinshi_request USING btree (class, next_at) WHERE (next_at IS NOT NULL);
CREATE INDEX ix_xinshi_request_sender ON public.xinshi_request USING btree (sender, id);
CREATE INDEX ix_xinshi_request_validity ON public.xinshi_request USING btree (not_after) WHERE (next_at IS NOT NULL);
CREATE INDEX ix_xinshi_submission_due ON public.xinshi_submission USING btree (class, next_at) WHERE ((state)::text = 'planned'::text);
CREATE INDEX ix_xinshi_submission_gateway_id ON public.xinshi_submission USING btree (gateway_id) WHERE (gateway_id IS NOT NULL);
CREATE INDEX ix_xinshi_submission_lease ON public.xinshi_submission USING btree (lease_until) WHERE (lease_until IS NOT NULL);
CREATE INDEX ix_xinshi_submission_planned ON public.xinshi_submission USING btree (request_id) WHERE ((state)::text = 'planned'::text);
CREATE INDEX ix_xinshi_submission_range ON public.xinshi_submission USING btree (request_id, lo);
CREATE INDEX ix_xinshi_submission_reference ON public.xinshi_submission USING btree (reference) WHERE (reference IS NOT NULL);
CREATE INDEX ix_xinshi_submission_resend ON public.xinshi_submission USING btree (resend_of) WHERE (resend_of IS NOT NULL);
CREATE INDEX ix_xinshi_submission_unknown ON public.xinshi_submission USING btree (account, called_at) WHERE ((state)::text = 'unknown'::text);
CREATE INDEX ix_xinshi_submission_validity ON public.xinshi_submission USING btree (not_after) WHERE ((state)::text = 'planned'::text);
ALTER TABLE ONLY public.xinshi_campaign
    ADD CONSTRAINT xinshi_campaign_request_id_fkey FOREIGN KEY (request_id) REFERENCES public.xinshi_request(id);
