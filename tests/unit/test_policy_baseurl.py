"""One spelling for an address: everything unusual is refused."""

from __future__ import annotations

import pytest

from pointsman.policy import baseurl


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com:443/v1", "https://api.example.com/v1"),
        ("https://10.0.0.7:8443/x/y", "https://10.0.0.7:8443/x/y"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_the_usual(text: str, url: str) -> None:
    assert baseurl.parse(text).url() == url
    assert baseurl.parse(url).url("/chat") == f"{url}/chat"


@pytest.mark.parametrize(
    "text",
    [
        *("", "api.example.com", "//api.example.com", "ftp://api.example.com", "file:///etc/passwd", "https://"),
        *("http://api.example.com", "http://10.0.0.7", "http://127.0.0.1.example.com", "http://localhost.example.com"),
        *("https://user@api.example.com", "https://user:pw@api.example.com", "https://api.example.com@evil.example"),
        *("https://API.example.com", "HTTPS://api.example.com", "https://api.example.com.", "https://.example.com"),
        *("https://api..example.com", "https://-a.example.com", "https://a_b.example.com", "https://ex%61mple.com"),
        *("https://аpi.example.com", "https://xn--pi-7lc.example.com", "https://api。example.com", "https://ａpi.com"),
        *("http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://127.1", "http://127.0.0.01"),
        *(
            "https://0x7f.1",
            "https://1.2.3.4.5",
            "https://256.1.1.1",
            "http://[::ffff:127.0.0.1]",
            "https://[::FFFF:1]",
        ),
        *("http://[0:0:0:0:0:0:0:1]", "https://[fe80::1%25eth0]", "https://[::1", "https://::1", "http://[127.0.0.1]"),
        *("https://a.com:0", "https://a.com:65536", "https://a.com:", "https://a.com:80a", "https://a.com:0443"),
        *(
            "https://a.com/v1?x=1",
            "https://a.com/v1#x",
            "https://a.com/../v1",
            "https://a.com/./v1",
            "https://a.com//v1",
        ),
        *("https://a.com/%2e%2e", "https://a.com\\@b.com", "https://a.com/v 1", " https://a.com", "https://a.com\n"),
        *("https://a.com\t", "https://a.com/\0", "https://a.com/v1;x", "javascript:alert(1)", "https://a.com:443:443"),
    ],
)
def test_the_unusual(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has)") as caught:
        baseurl.parse(text)
    assert "pw" not in str(caught.value)
