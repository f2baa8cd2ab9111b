"""The `Authorization` header: check 1, and the length of check 2."""

import socket

from case import WhoamiTest
from mint import token
from whoami import LIMIT


class AuthorizationHeader(WhoamiTest):
    def test_no_header_is_no_credentials(self) -> None:
        for route in ("/whoami", "/agents", "/people", "/orders"):
            with self.subTest(route):
                self.assert_no_credentials(self.whoami.get(route))
                self.assert_no_credentials(self.whoami.curl(route))

    def test_another_scheme_is_no_credentials(self) -> None:
        good = self.token()
        lines = ("Basic YTpi", "Negotiate YII", f"DPoP {good}", f"PoP {good}", f"Bearers {good}", good)
        for line in lines:
            with self.subTest(line[:8]):
                self.assert_no_credentials(self.whoami.get("/whoami", authorization=[line]))

    def test_a_token_in_the_query_is_not_read(self) -> None:
        good = self.token()
        self.assert_no_credentials(self.whoami.get(f"/whoami?access_token={good}"))
        self.assertEqual(self.whoami.get("/whoami?access_token=x", good).status, 200)
        self.refused("null", f"/whoami?access_token={good}")

    def test_the_scheme_is_bearer_in_any_letter_case(self) -> None:
        for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
            with self.subTest(scheme):
                answer = self.whoami.get("/whoami", authorization=[f"{scheme} {self.token()}"])
                self.assertEqual(answer.status, 200, answer)

    def test_more_spaces_after_the_scheme_do_no_harm(self) -> None:
        for spaces in ("  ", "     "):
            with self.subTest(spaces=spaces):
                line = f"Bearer{spaces}{self.token()}"
                answer = self.whoami.get("/whoami", authorization=[line])
                self.assertEqual(answer.status, 200, answer)

    def test_two_headers_are_an_invalid_request(self) -> None:
        good, other = self.token(), self.token()
        pairs = (
            [f"Bearer {good}", f"Bearer {good}"],
            [f"Bearer {good}", f"Bearer {other}"],
            [f"Bearer {good}", "Basic YTpi"],
            ["Basic YTpi", f"Bearer {good}"],
            [f"Bearer {good}", "Bearer null"],
        )
        for pair in pairs:
            with self.subTest([line[:10] for line in pair]):
                answer = self.whoami.get("/whoami", authorization=pair)
                self.assert_invalid_request(answer)
                self.assert_reveals_nothing(answer, good)

    def test_bearer_without_a_token_is_an_invalid_request(self) -> None:
        for line in ("Bearer", "bearer", "Bearer ", "Bearer    "):
            with self.subTest(line=line):
                self.assert_invalid_request(self.whoami.get("/whoami", authorization=[line]))

    def test_more_than_a_token_is_an_invalid_request(self) -> None:
        good = self.token()
        for line in (f"Bearer {good} x", f"Bearer {good}, Bearer {good}", f"Bearer Bearer {good}"):
            with self.subTest(line[-10:]):
                answer = self.whoami.get("/whoami", authorization=[line])
                self.assert_invalid_request(answer)
                self.assert_reveals_nothing(answer, good)

    def test_characters_that_no_token_has_are_an_invalid_request(self) -> None:
        good = self.token().encode()
        for character in (b"\t", b'"', b",", b"'", b"{", b"%", b"\\", b"\xc3\xa9", b"\xff", b":"):
            for line in (b"Bearer " + good + character + b"x", b"Bearer " + character + good):
                with self.subTest(character=character, line=line[:10]):
                    answer = self.whoami.get("/whoami", authorization=[line])
                    self.assert_invalid_request(answer)

    def test_a_tab_does_not_part_scheme_and_token(self) -> None:
        for gap in ("\t", " \t", "\t "):
            with self.subTest(gap=gap):
                line = f"Bearer{gap}{self.token()}"
                self.assert_invalid_request(self.whoami.get("/whoami", authorization=[line]))

    def test_words_that_stand_for_no_token_are_invalid_tokens(self) -> None:
        for word in ("null", "undefined", "true", "0", "~", "a+b/c="):
            with self.subTest(word):
                self.refused(word)

    def test_a_token_of_16_kib_is_the_longest(self) -> None:
        payload = self.claims()
        room = 16 * 1024 - len(token(self.key, payload | {"padding": ""}))
        # Three octets of JSON make four characters of base64url.
        self.admitted(token(self.key, payload | {"padding": "x" * (room * 3 // 4 - 3)}))
        self.refused(token(self.key, payload | {"padding": "x" * (room * 3 // 4 + 3)}))
        self.refused(token(self.key, payload | {"padding": "x" * 40_000}))


class Requests(WhoamiTest):
    """Requests as no client would write them."""

    def status(self, *lines: str | bytes) -> int:
        """The status of a request for /whoami with these lines after its first."""
        host, _, port = self.whoami.address.partition(":")
        octets = [line if isinstance(line, bytes) else line.encode() for line in lines]
        head = b"\r\n".join([b"GET /whoami HTTP/1.1", b"Host: x", b"Connection: close", *octets])
        with socket.create_connection((host, int(port)), LIMIT) as connection:
            connection.sendall(head + b"\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        return int(answer.split(b" ", 2)[1])

    def test_the_line_may_be_written_as_http_allows(self) -> None:
        good = self.token()
        for line in (
            f"Authorization:Bearer {good}",
            f"authorization:   Bearer {good}",
            f"AUTHORIZATION:\tBearer {good} \t ",
        ):
            with self.subTest(line[:24]):
                self.assertEqual(self.status(line), 200)

    def test_two_lines_are_two_in_any_letter_case_and_place(self) -> None:
        good = self.token()
        for first, second in (("Authorization", "authorization"), ("AUTHORIZATION", "Authorization")):
            lines = (f"{first}: Bearer {good}", "Accept: */*", f"{second}: Bearer {good}")
            self.assertEqual(self.status(*lines), 400)
        self.assertEqual(self.status(f"Authorization: Bearer {good}", "Authorization:"), 400)

    def test_a_line_that_http_does_not_allow_is_an_invalid_request(self) -> None:
        good = self.token()
        half, rest = good[:100], good[100:]
        for line in (
            f"Authorization : Bearer {good}",
            f"Authorization: Bearer {half}\r\n {rest}",
            f"Authorization: Bearer\r\n\t{good}",
            f"Authorization: Bearer {half}\0{rest}",
            f"Authorization: Bearer {half}\r{rest}",
            f"Authorization: Bearer {good}\0",
            f"Authorization\0: Bearer {good}",
            f"Authorization: Bearer {good}\x7f",
        ):
            with self.subTest(line=line[:24].encode()):
                self.assertEqual(self.status(line), 400)

    def test_what_looks_like_the_line_and_is_another_is_no_credentials(self) -> None:
        good = self.token()
        for name in ("Authorisation", "X-Authorization", "Authorization_", "Proxy-Authorization", "Cookie"):
            with self.subTest(name):
                self.assertEqual(self.status(f"{name}: Bearer {good}"), 401)
        chunked = "0\r\nAuthorization: Bearer " + good
        self.assertEqual(self.status("Transfer-Encoding: chunked\r\n", chunked), 401)

    def test_a_line_without_end_is_refused(self) -> None:
        self.assertIn(self.status("Authorization: Bearer " + "a" * 300_000), {401, 431})
