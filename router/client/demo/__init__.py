"""`hubex demo`: a private broker, a hub and two clients that play the ten steps of the 18-15 exchange."""
