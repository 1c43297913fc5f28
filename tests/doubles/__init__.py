"""AWS, Docker, terminals and checkouts for the tests: real programs and servers where there are any."""
