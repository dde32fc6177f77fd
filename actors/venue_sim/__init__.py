"""A Bybit to test against: the venue's HTTP and WebSocket protocol on replayed bars.

Theory. Everything that is decided is decided by `VenueCore` and the modules below it, which know
neither clock nor network: a request and the venue's time go in, a reply comes out; the time moves
on, messages come out. `VenueServer` is the thin shell of sockets around it. So every rule of the
venue can be tested without a socket, and a test that drives the clock sees the same run each time.
"""
