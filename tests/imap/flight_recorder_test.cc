// What a session's flight recorder keeps, and its lines.
#include "proxy/imap/flight_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace imapmeter::imap {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

std::vector<std::string> lines(const FlightRecorder& recorder) {
  std::vector<std::string> all;
  for (const FlightEvent& event : recorder.events()) all.push_back(text(event));
  return all;
}

Status status(ResponseKind kind, Condition condition, ResponseCode code, std::uint32_t octets) {
  return {.kind = kind, .condition = condition, .code = code, .members = {}, .octets = octets};
}

TEST(FlightRecorder, TellsASessionInLines) {
  FlightRecorder recorder;
  recorder.status(milliseconds(0), status(ResponseKind::greeting, Condition::ok, ResponseCode::capability, 84));
  recorder.command_started(milliseconds(10), {Command::login, 41, Mechanism::login_command});
  recorder.status(milliseconds(2310), status(ResponseKind::tagged, Condition::no, ResponseCode::unavailable, 44));
  recorder.command_ended({Command::login, CommandResult::no});
  recorder.command_started(milliseconds(2400), {Command::authenticate, 20, Mechanism::scram_plus});
  recorder.continuation(milliseconds(2401));
  recorder.client_line(milliseconds(2402), ClientLine::cancel, 3);
  recorder.status(milliseconds(2403), status(ResponseKind::untagged, Condition::bye, ResponseCode::none, 9));
  recorder.status(milliseconds(2403), status(ResponseKind::tagged, Condition::ok, ResponseCode::other, 9));
  recorder.anomaly(milliseconds(2404), Anomaly::unmatched_tag);
  recorder.anomaly(milliseconds(2404), Anomaly::client_bare_lf);
  recorder.undefined_status(milliseconds(2405));
  recorder.opaque(milliseconds(3600'000), OpaqueReason::parser);
  EXPECT_THAT(lines(recorder),
              ElementsAre("+0.000 S greeting OK [CAPABILITY] 84 B", "+0.010 C LOGIN 41 B",
                          "+2.310 S tagged NO [UNAVAILABLE] LOGIN 44 B", "+2.400 C AUTHENTICATE SCRAM-PLUS 20 B",
                          "+2.401 S +", "+2.402 C * 3 B", "+2.403 S untagged BYE 9 B", "+2.403 S tagged OK [other] 9 B",
                          "+2.404 S anomaly unmatched_tag", "+2.404 C anomaly bare_lf", "+2.405 S undefined",
                          "+3600.000 - opaque parser"));
}

TEST(FlightRecorder, JoinsDataOfOneKeywordAndItsLiterals) {
  FlightRecorder recorder;
  for (int i = 0; i < 3; ++i) {
    recorder.literal(milliseconds(i), Direction::server_to_client, 60);
    recorder.literal(milliseconds(i), Direction::server_to_client, 40);
    recorder.data(milliseconds(i), {DataKeyword::fetch, 30});
    recorder.messages(MessageOperation::fetched, 1);
  }
  recorder.data(milliseconds(5), {DataKeyword::exists, 12});
  recorder.literal(milliseconds(6), Direction::client_to_server, 5);
  recorder.literal(milliseconds(6), Direction::client_to_server, 6);
  recorder.literal(milliseconds(7), Direction::server_to_client, 7);
  EXPECT_THAT(lines(recorder),
              ElementsAre("+0.000 S data FETCH x3 90 B literal 300 messages 3", "+0.005 S data EXISTS x1 12 B",
                          "+0.006 C literal 11", "+0.007 S literal 7"));
}

TEST(FlightRecorder, KeepsMessagesThatWereAppended) {
  FlightRecorder recorder;
  recorder.command_started({}, {Command::append, 30, Mechanism::other});
  recorder.literal({}, Direction::client_to_server, 100);
  recorder.status({}, status(ResponseKind::tagged, Condition::ok, ResponseCode::appenduid, 50));
  recorder.command_ended({Command::append, CommandResult::ok});
  recorder.messages(MessageOperation::appended, 2);
  EXPECT_THAT(lines(recorder), ElementsAre("+0.000 C APPEND 30 B", "+0.000 C literal 100",
                                           "+0.000 S tagged OK [APPENDUID] APPEND 50 B messages 2"));
}

TEST(FlightRecorder, KeepsTheLastThirtyTwo) {
  FlightRecorder recorder;
  EXPECT_TRUE(recorder.events().empty());
  for (int i = 0; i < 100; ++i) recorder.command_started(milliseconds(i), {Command::noop, 8, Mechanism::other});
  const auto events = recorder.events();
  ASSERT_EQ(events.size(), FlightRecorder::kept);
  EXPECT_EQ(events.front().at, 68U);
  EXPECT_EQ(events.back().at, 99U);
  EXPECT_EQ(recorder.noted(), 100U);
}

TEST(FlightRecorder, NumbersSaturate) {
  FlightRecorder recorder;
  for (int i = 0; i < 3; ++i) {
    recorder.literal(std::chrono::hours(100'000), Direction::server_to_client, UINT32_MAX);
    for (int j = 0; j < 100; ++j) recorder.data(std::chrono::hours(100'000), {DataKeyword::fetch, UINT32_MAX});
  }
  EXPECT_EQ(lines(recorder).front(), "+4294967.295 S data FETCH x255 4294967295 B literal 4294967295");
}

FlightEvent event(FlightKind kind, std::uint32_t octets, std::uint32_t literal, std::uint8_t a, std::uint8_t b,
                  std::uint8_t c) {
  FlightEvent made;
  made.kind = kind;
  made.octets = octets;
  made.literal = literal;
  made.a = a;
  made.b = b;
  made.c = c;
  return made;
}

// Every value that an event can have, as a line and back.
TEST(FlightRecorder, ItsLinesCanBeReadAgain) {
  std::size_t read = 0;
  const auto both_ways = [&](FlightEvent written) {
    written.at = 1234;
    const auto again = parse_flight_event(text(written));
    ASSERT_TRUE(again) << text(written);
    EXPECT_EQ(*again, written) << text(written);
    ++read;
  };
  const auto octet = [](auto value) { return static_cast<std::uint8_t>(value); };
  for (std::size_t i = 0; i < command_count; ++i) {
    const bool login = octet(i) == octet(Command::login);
    const auto mechanism = login ? Mechanism::login_command : Mechanism::other;
    both_ways(event(FlightKind::command, 7, 0, octet(i), octet(mechanism), 0));
    both_ways(event(FlightKind::tagged, 7, 5, octet(Condition::ok), octet(ResponseCode::none), octet(i)));
  }
  for (std::size_t i = 0; i < mechanism_count; ++i)
    both_ways(event(FlightKind::command, 7, 0, octet(Command::authenticate), octet(i), 0));
  for (std::size_t i = 0; i < client_line_count; ++i) both_ways(event(FlightKind::line, 3, 0, octet(i), 0, 0));
  for (std::size_t i = 0; i < condition_count; ++i) {
    for (std::size_t code = 0; code < response_code_count; ++code) {
      for (const FlightKind kind : {FlightKind::greeting, FlightKind::untagged, FlightKind::tagged})
        both_ways(event(kind, 9, 0, octet(i), octet(code), not_told));
    }
  }
  for (std::size_t i = 0; i < bye_reason_count; ++i) {
    for (const FlightKind kind : {FlightKind::greeting, FlightKind::untagged})
      both_ways(event(kind, 9, 0, octet(Condition::bye), octet(ResponseCode::none), octet(i)));
  }
  for (std::size_t i = 0; i < provider_signal_count; ++i) {
    FlightEvent refusal = event(FlightKind::tagged, 9, 0, octet(Condition::no), octet(ResponseCode::limit), not_told);
    refusal.signal = octet(i) & 0xfU;
    both_ways(refusal);
  }
  for (std::size_t i = 0; i < data_keyword_count; ++i) {
    both_ways(event(FlightKind::data, 9, 0, octet(i), 1, 0));
    both_ways(event(FlightKind::data, 9, 8, octet(i), 255, 200));
  }
  for (std::size_t i = 0; i < anomaly_count; ++i) both_ways(event(FlightKind::anomaly, 0, 0, octet(i), 0, 0));
  for (std::size_t i = 0; i < opaque_reason_count; ++i) both_ways(event(FlightKind::opaque, 0, 0, octet(i), 0, 0));
  for (const FlightKind kind : {FlightKind::literal, FlightKind::open_literal}) both_ways(event(kind, 0, 5, 0, 0, 0));
  for (const FlightKind kind : {FlightKind::continuation, FlightKind::undefined}) both_ways(event(kind, 0, 0, 0, 0, 0));
  EXPECT_GT(read, 1000U);
}

TEST(FlightRecorder, OtherLinesAreNone) {
  for (const char* line : {"",
                           "+",
                           "+1",
                           "0.000 C NOOP 5 B",
                           "+0.00 C NOOP 5 B",
                           "+x.000 C NOOP 5 B",
                           "+0.000 X NOOP 5 B",
                           "+0.000 C",
                           "+0.000 C NOPE 5 B",
                           "+0.000 C NOOP x B",
                           "+0.000 S tagged MAYBE 5 B",
                           "+0.000 S tagged OK [NOPE] 5 B",
                           "+0.000 S tagged OK NOPE 5 B",
                           "+0.000 S data FETCH 5 B",
                           "+0.000 S data FETCH x0 5 B",
                           "+0.000 S data X x1 5 B",
                           "+0.000 S greeting OK LOGIN 5 B",
                           "+0.000 - opaque why",
                           "+0.000 S anomaly stray_done",
                           "+0.000 S + more",
                           "+0.000 C AUTHENTICATE SECRET 5 B",
                           "+0.000 S tagged NO 5 B signal x",
                           "+0.000 S literal",
                           "+0.000 S data FETCH x1 5 B messages x"})
    EXPECT_FALSE(parse_flight_event(line)) << line;
}

}  // namespace
}  // namespace imapmeter::imap
